/** Reads the entities of an evaluation as a question about a support action. */
import { readSiteUrl } from '../organizations/site-url.ts';
import { isCountryCode } from '../platform/country-codes.ts';
import { parseEmailAddress } from '../platform/email-address.ts';
import { decodeGlobalId } from '../platform/global-id.ts';
import { isId } from '../platform/ids.ts';
import { isSupportAction, mayName, type SupportAction, wholeProduct } from './catalogue.ts';
import type { Evaluation } from './evaluation.ts';
import type { ReasonCode } from './reasons.ts';

/** By what something is looked up. `nothing`: the text can name no such thing. */
export type Named<Key extends string> = { readonly by: 'id' | Key | 'nothing'; readonly value: string };

export type Question = {
  readonly engineer: Named<'email'>;
  readonly action: SupportAction;
  readonly resource: { readonly type: string; readonly id: string };
  readonly site: Named<'url'>;
  /** The key of the product. */
  readonly product: string;
  /** The ticket on which the engineer works, by its key, or one support session, by its id. */
  readonly use: Named<'key'>;
  /** Where the engineer is. Null: where the support session says. */
  readonly engineerCountry: string | null;
  /** Where the data would be processed. Null: in the site's own region. */
  readonly processingRegion: string | null;
  /** To where the data would be exported; null for any other action. */
  readonly destinationRegion: string | null;
  /** The change to be made; null for any other action. */
  readonly changeRequest: Named<never> | null;
};

/** What is wrong with an evaluation, so that it is no question. */
export type Problem = { readonly code: ReasonCode; readonly message?: string };

/** The type of the subject of every question. */
const subjectType = 'support_engineer';

export function readQuestion(evaluation: Evaluation): Question | Problem {
  try {
    return toQuestion(evaluation);
  } catch (error) {
    if (error instanceof InvalidQuestionError) return error.problem;
    throw error;
  }
}

export function isQuestion(read: Question | Problem): read is Question {
  return !('code' in read);
}

class InvalidQuestionError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message ?? problem.code);
    this.name = 'InvalidQuestionError';
    this.problem = problem;
  }
}

function toQuestion({ subject, action: { name: action }, resource, context = {} }: Evaluation): Question {
  if (subject.type !== subjectType) throw invalid(`subject.type must be ${subjectType}.`);
  if (!isSupportAction(action)) throw new InvalidQuestionError({ code: 'UNKNOWN_ACTION' });
  if (!isResourceType(resource.type))
    throw invalid('resource.type must have at most 100 of the characters a to z, 0 to 9 and _.');
  if (!mayName(action, resource.type)) throw new InvalidQuestionError({ code: 'WRONG_RESOURCE_TYPE' });
  const properties = resource.properties ?? {};
  const product = required(properties, 'product', 'resource.properties.product');
  const id = checked(resource.id, 'resource.id');
  if (resource.type === wholeProduct && id !== product)
    throw invalid('resource.id must be the key of the product.');
  return {
    engineer: engineerNamed(checked(subject.id, 'subject.id')),
    action,
    resource: { type: resource.type, id },
    site: siteNamed(required(properties, 'site', 'resource.properties.site')),
    product,
    use: useNamed(optional(context, 'ticket'), optional(context, 'session')),
    engineerCountry: country(optional(context, 'engineer_country')),
    processingRegion: optional(context, 'processing_region'),
    destinationRegion: action === 'data.export' ? required(context, 'destination_region') : null,
    changeRequest:
      action === 'change.apply' ? globalId('ChangeRequest', required(context, 'change_request')) : null,
  };
}

function engineerNamed(text: string): Named<'email'> {
  if (!text.includes('@')) return globalId('SupportEngineer', text);
  const email = parseEmailAddress(text);
  return email === null ? { by: 'nothing', value: text } : { by: 'email', value: email };
}

function siteNamed(text: string): Named<'url'> {
  const url = readSiteUrl(text);
  return url === null ? globalId('Site', text) : { by: 'url', value: url };
}

function useNamed(ticket: string | null, session: string | null): Named<'key'> {
  if (ticket !== null && session !== null)
    throw invalid('The context must name a ticket or a session, not both.');
  if (ticket !== null) return { by: 'key', value: ticket };
  if (session !== null) return globalId('SupportSession', session);
  throw invalid('The context must name a ticket or a session.');
}

/** A global id of this type. Another text names nothing. */
function globalId(type: string, text: string): { by: 'id' | 'nothing'; value: string } {
  const decoded = decodeGlobalId(text);
  return decoded?.typename === type && isId(decoded.id)
    ? { by: 'id', value: decoded.id }
    : { by: 'nothing', value: text };
}

function country(code: string | null): string | null {
  if (code === null || isCountryCode(code)) return code;
  throw invalid('context.engineer_country must be the code of a country by ISO 3166-1 alpha-2.');
}

type Properties = Readonly<Record<string, unknown>>;

function required(properties: Properties, name: string, path: string = `context.${name}`): string {
  const value = optional(properties, name, path);
  if (value === null) throw invalid(`${path} is missing.`);
  return value;
}

function optional(properties: Properties, name: string, path: string = `context.${name}`): string | null {
  const value = Object.hasOwn(properties, name) ? properties[name] : null;
  return value == null ? null : checked(value, path);
}

/** The longest text that a question may have anywhere, in characters. */
const maxText = 1_000;

/** A text that the database takes and that people can read: it may end up in the audit log. */
function checked(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= maxText && isPlain(value)) return value;
  throw invalid(`${path} must be a text of 1 to ${maxText} characters without control characters.`);
}

function isPlain(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text);
}

/** So that it is never taken for a type of the API, whose names begin with a capital letter. */
function isResourceType(text: string): boolean {
  return /^[a-z][a-z0-9_]{0,99}$/.test(text);
}

function invalid(message: string): InvalidQuestionError {
  return new InvalidQuestionError({ code: 'INVALID_QUESTION', message });
}
