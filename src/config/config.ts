import type { LogLevel } from '../platform/logger.ts';
import type { Quotas } from '../platform/quotas.ts';
import { StartupError } from '../platform/startup-error.ts';

/** How one gateway runs. Plain data: `parseConfig` checks which values may be combined. */
export type Config = {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly production: boolean;
  readonly logLevel: LogLevel;
  readonly database: DatabaseConfig;
  /** The maximum number of connections. */
  readonly databasePoolSize: number;
  /** The replica that audit logs are read from while it is near enough. Null: there is none. */
  readonly databaseReplica: { readonly url: string; readonly mostBehindMs: number } | null;
  /** For how many milliseconds a start waits for a database at a URL that is not there yet. */
  readonly databaseWaitMs: number;
  /** Null: events stay within this process, and this is the only gateway of the deployment. */
  readonly redis: RedisConfig | null;
  readonly identity: IdentityConfig;
  /** The first one signs cursors; each one verifies them. Null: a secret is made and kept in the data folder. */
  readonly cursorSecrets: readonly [string, ...string[]] | null;
  /**
   * The texts of the keys with which the heads of audit logs are signed, and of those that signed earlier ones. Null: one is made
   * and kept in the data folder, outside production; otherwise logs are not sealed.
   */
  readonly auditSigningKeys: readonly string[] | null;
  /** Origins of web pages that may use the gateway from a browser, in addition to its own. */
  readonly allowedOrigins: readonly string[];
  /** The addresses and ranges of the proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** The origin by which product backends reach this deployment. Null: it is not known. */
  readonly publicUrl: string | null;
  /** The base URL of the console in which people decide, which mail names. Null: mail has no link to it. */
  readonly consoleUrl: string | null;
  readonly mail: MailConfig;
  /** How long the appointment of a Guard admin waits where no Guard admin could confirm it, in hours. */
  readonly guardAppointmentWaitHours: number;
  /** How much one account or organization may write and be sent. */
  readonly quotas: Quotas;
  /** The email of the person who becomes the first operator of a deployment without operators. */
  readonly bootstrapOperatorEmail: string | null;
  /** The domains of the vendor's email addresses, in lower case: nobody with an address there is a customer's user. */
  readonly vendorEmailDomains: readonly string[];
  /** The regions in which support processes customers' data, and the countries from which it acts. Empty: any. */
  readonly vendorSites: {
    readonly processingRegions: readonly string[];
    /** ISO 3166-1 alpha-2 codes. */
    readonly engineerCountries: readonly string[];
  };
  /** The ticketing systems that send their events. */
  readonly ticketWebhooks: readonly TicketWebhookConfig[];
  /** The addresses and ranges to which the audit log may be streamed although they are not public, and without TLS. */
  readonly auditStreamNetworks: readonly string[];
  /** Where `/metrics` is served. Null: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly admission: AdmissionConfig;
  /** Milliseconds for a graceful stop; the process ends when it takes longer. */
  readonly shutdownGraceMs: number;
};

/** What the gateway admits. What only ends access is counted apart, by the same numbers. */
export type AdmissionConfig = {
  /** Operations that run or wait at one gateway: of a person, of a service account, of an organization. */
  readonly operationsPerAccount: number;
  readonly operationsPerServiceAccount: number;
  readonly operationsPerOrganization: number;
  /** Operations a second, of all gateways. */
  readonly ratePerAccount: number;
  readonly ratePerServiceAccount: number;
  readonly ratePerOrganization: number;
};

/** Far beyond what people and their programs do, and little enough that nobody holds up the others. */
export const defaultAdmission: AdmissionConfig = {
  operationsPerAccount: 200,
  operationsPerServiceAccount: 1_000,
  operationsPerOrganization: 1_000,
  ratePerAccount: 100,
  ratePerServiceAccount: 1_000,
  ratePerOrganization: 1_000,
};

export type DatabaseConfig =
  | { readonly kind: 'embedded'; readonly dataFolder: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      /** As whom the tables are migrated. Null: as whom the gateway runs, if that role may. */
      readonly ownerUrl: string | null;
    };

export type RedisConfig = {
  readonly url: string;
  /** Further nodes of a cluster. */
  readonly otherUrls?: readonly string[];
  readonly topology: 'SINGLE' | 'CLUSTER';
  readonly channel: string;
};

export type IdentityConfig =
  /** The gateway issues tokens itself, to anyone. Only on the embedded database. */
  | { readonly kind: 'development' }
  | {
      readonly kind: 'oidc';
      readonly issuer: string;
      readonly audience: string;
      readonly jwksUrl: string;
      readonly emailVerified: EmailVerified;
    };

/**
 * What the claim `email_verified` of a token must be for its email to count. `REQUIRED`: true. `OPTIONAL`: true or
 * absent, for an issuer that verifies every email and never sends the claim.
 */
export type EmailVerified = 'REQUIRED' | 'OPTIONAL';

/** A ticketing system that sends its events to `/webhooks/tickets/<name>`, signed by Standard Webhooks. */
export type TicketWebhookConfig = {
  readonly name: string;
  /** The address of its service account, in lower case. */
  readonly account: string;
  /** One to three, `whsec_…`. Each of them verifies. */
  readonly secrets: readonly string[];
};

/** How email is sent. */
export type MailConfig =
  | { readonly kind: 'smtp'; readonly url: string; readonly from: Mailbox }
  /** Mail is written to files in the data folder instead of being sent. Only on the embedded database. */
  | { readonly kind: 'files'; readonly dataFolder: string; readonly from: Mailbox }
  /** No mail is sent. */
  | { readonly kind: 'none' };

export type Mailbox = { readonly name: string; readonly address: string };

/** The environment is not valid. The message has a line for each invalid variable, which says what is accepted. */
export class ConfigError extends StartupError {
  override name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}
