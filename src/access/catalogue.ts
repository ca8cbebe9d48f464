/**
 * The support actions that can be asked about, and what a grant allows and never allows in words: the lists of what
 * Support can do and cannot do, as data.
 */

type ScopeKind = 'PRODUCT_DATA' | 'ROVO_CONVERSATIONS';

type Definition = {
  /** The scope of the grant that it needs. */
  readonly scope: ScopeKind;
  /** The types of the resources that it may be about. Absent: any but Rovo conversations. */
  readonly resourceTypes?: readonly string[];
};

const content = ['work_item', 'comment', 'attachment', 'page'] as const;

/** A resource of this type is the whole product, and its id is the product's key. */
export const wholeProduct = 'product';
const rovoConversation = 'rovo_conversation';

const onProductData = (...resourceTypes: readonly string[]): Definition => ({
  scope: 'PRODUCT_DATA',
  resourceTypes,
});

/** By the name of the action, which is also its name on the audit log. */
const actions = {
  'work_item.read': onProductData('work_item'),
  'comment.read': onProductData('comment'),
  'attachment.read': onProductData('attachment'),
  'page.read': onProductData('page'),
  'users.view': onProductData('user', wholeProduct),
  'groups.view': onProductData('group', wholeProduct),
  'permissions.view': onProductData('permission', wholeProduct),
  'audit_log.view': onProductData('audit_log', wholeProduct),
  'admin_settings.view': onProductData('admin_setting', wholeProduct),
  'rovo_conversation.read': { scope: 'ROVO_CONVERSATIONS', resourceTypes: [rovoConversation] },
  // Rovo's view of a product is the product's own permission, never more.
  'rovo_index.read': onProductData(...content, wholeProduct),
  'data.export': onProductData(
    ...content,
    'user',
    'group',
    'permission',
    'audit_log',
    'admin_setting',
    wholeProduct,
  ),
  // The change request says which resource.
  'change.apply': { scope: 'PRODUCT_DATA' },
} as const satisfies Record<string, Definition>;

export type SupportAction = keyof typeof actions;

export const supportActions = Object.keys(actions) as SupportAction[];

export function isSupportAction(name: string): name is SupportAction {
  return Object.hasOwn(actions, name);
}

/** The scope of the grant under which the action is possible. */
export function scopeOf(action: SupportAction): ScopeKind {
  return actions[action].scope;
}

/** Whether the action may be about a resource of this type. */
export function mayName(action: SupportAction, resourceType: string): boolean {
  const { resourceTypes }: Definition = actions[action];
  return resourceTypes === undefined
    ? resourceType !== rovoConversation
    : resourceTypes.includes(resourceType);
}

/** What a grant allows: a stable code, a sentence, and the actions that it covers. */
export type Allowance = {
  readonly code: AllowanceCode;
  readonly sentence: string;
  readonly actions: readonly SupportAction[];
};
export type AllowanceCode = keyof typeof allowances;

const allowances = {
  READ_CONTENT: {
    sentence: 'Read work items, comments, attachments and pages of the product.',
    actions: ['work_item.read', 'comment.read', 'attachment.read', 'page.read'],
  },
  VIEW_CONFIGURATION: {
    sentence: 'View the configuration of users, groups and permissions of the product.',
    actions: ['users.view', 'groups.view', 'permissions.view'],
  },
  VIEW_LOGS_AND_SETTINGS: {
    sentence: 'View the audit logs and admin settings that the investigation needs.',
    actions: ['audit_log.view', 'admin_settings.view'],
  },
  VIEW_AS_ROVO: {
    sentence: 'See the product as Rovo sees it: the same data, with the same permissions.',
    actions: ['rovo_index.read'],
  },
  EXPORT_WITHIN_BOUNDARY: {
    sentence: "Export data of the product to where the site's data may be processed.",
    actions: ['data.export'],
  },
  APPLY_CONSENTED_CHANGE: {
    sentence: 'Make a change that you consented to in the ticket, once and as it was described.',
    actions: ['change.apply'],
  },
  READ_NAMED_CONVERSATIONS: {
    sentence: 'Read the Rovo conversations that the grant names.',
    actions: ['rovo_conversation.read'],
  },
} as const satisfies Record<string, { sentence: string; actions: readonly SupportAction[] }>;

/** What no grant of a scope allows. */
export type Limit = { readonly code: LimitCode; readonly sentence: string };
export type LimitCode = keyof typeof limits;

const limits = {
  OTHER_SITES_OR_PRODUCTS: 'Read content of sites or products outside the scope of the grant.',
  UNLICENSED_PRODUCTS: 'Read content of products that you have not licensed.',
  CHANGE_WITHOUT_CONSENT: 'Change your site without your consent in the ticket.',
  ROVO_WITHOUT_OWN_GRANT: 'Read Rovo conversations, which need a grant of their own that names them.',
  MORE_THAN_PERMITTED_IN_PRODUCT: 'See through Rovo what the permissions of the product do not show.',
  EXPORT_OUTSIDE_BOUNDARY: "Take data out of where the site's data may be processed.",
  OTHER_CONVERSATIONS: 'Read Rovo conversations that the grant does not name.',
  PRODUCT_DATA: 'Read or change anything else of the product.',
} as const;

const everyScope = ['OTHER_SITES_OR_PRODUCTS', 'UNLICENSED_PRODUCTS', 'CHANGE_WITHOUT_CONSENT'] as const;

const limitsByScope: Readonly<Record<ScopeKind, readonly LimitCode[]>> = {
  PRODUCT_DATA: [
    ...everyScope,
    'ROVO_WITHOUT_OWN_GRANT',
    'MORE_THAN_PERMITTED_IN_PRODUCT',
    'EXPORT_OUTSIDE_BOUNDARY',
  ],
  ROVO_CONVERSATIONS: [...everyScope, 'OTHER_CONVERSATIONS', 'PRODUCT_DATA', 'EXPORT_OUTSIDE_BOUNDARY'],
};

export const allowanceCodes = Object.keys(allowances) as AllowanceCode[];
export const limitCodes = Object.keys(limits) as LimitCode[];

/** What an active grant of this scope allows its engineer. */
export function allowancesOf(scope: ScopeKind): Allowance[] {
  return allowanceCodes
    .map((code): Allowance => ({ code, ...allowances[code] }))
    .filter((allowance) => allowance.actions.every((action) => scopeOf(action) === scope));
}

/** What no grant of this scope allows, whatever is in it. */
export function limitsOf(scope: ScopeKind): Limit[] {
  return limitsByScope[scope].map((code) => ({ code, sentence: limits[code] }));
}
