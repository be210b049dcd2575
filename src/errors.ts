/** The languages in which the service speaks to people. Codes and field names are never translated. */
export type Language = 'en' | 'fr';

interface ErrorEntry {
  status: number;
  en: string;
  fr: string;
}

/** Every error code of the API: its HTTP status and its title. Codes are stable: callers switch on them. */
export const errorCodes = {
  invalid_body: { status: 400, en: 'The request body is not valid.', fr: 'Le corps de la requête n’est pas valide.' },
  invalid_query: {
    status: 400,
    en: 'The path or the query is not valid.',
    fr: 'Le chemin ou les paramètres ne sont pas valides.',
  },
  invalid_json: { status: 400, en: 'The body is not acceptable JSON.', fr: 'Le corps n’est pas du JSON acceptable.' },
  invalid_cursor: { status: 400, en: 'The cursor is not valid.', fr: 'Le curseur n’est pas valide.' },
  invalid_header: { status: 400, en: 'A header is not valid.', fr: 'Un en-tête n’est pas valide.' },
  idempotency_key_missing: {
    status: 400,
    en: 'The header Idempotency-Key is required here.',
    fr: 'L’en-tête Idempotency-Key est obligatoire ici.',
  },
  unauthenticated: {
    status: 401,
    en: 'A valid API key is required.',
    fr: 'Une clé d’API valide est nécessaire.',
  },
  forbidden: { status: 403, en: 'The key has not this right.', fr: 'La clé n’a pas ce droit.' },
  validation_not_allowed: {
    status: 403,
    en: 'Only a key that may validate can ask for automatic validation.',
    fr: 'Seule une clé qui peut valider peut demander la validation automatique.',
  },
  not_found: { status: 404, en: 'Not found.', fr: 'Introuvable.' },
  conflict: { status: 409, en: 'It exists already.', fr: 'Cet élément existe déjà.' },
  in_use: { status: 409, en: 'It is in use.', fr: 'Cet élément est utilisé.' },
  illegal_move: {
    status: 409,
    en: 'The message cannot make this move from its status.',
    fr: 'Le message ne peut pas faire ce passage depuis son statut.',
  },
  being_sent: {
    status: 409,
    en: 'The message is being sent.',
    fr: 'Le message est en cours d’envoi.',
  },
  content_changed: {
    status: 409,
    en: 'The content is no longer the one that was seen.',
    fr: 'Le contenu n’est plus celui qui a été vu.',
  },
  blocked_by_rule: {
    status: 409,
    en: 'A rule forbids this message.',
    fr: 'Une règle interdit ce message.',
  },
  cannot_be_sent: {
    status: 409,
    en: 'The message cannot be sent as it is.',
    fr: 'Le message ne peut pas être envoyé en l’état.',
  },
  not_a_draft: {
    status: 409,
    en: 'The send request is not a draft.',
    fr: 'La demande d’envoi n’est pas un brouillon.',
  },
  already_published: {
    status: 409,
    en: 'A published version never changes.',
    fr: 'Une version publiée ne change jamais.',
  },
  not_finished: { status: 409, en: 'It is not finished yet.', fr: 'Ce n’est pas encore terminé.' },
  idempotency_in_progress: {
    status: 409,
    en: 'A request with this Idempotency-Key is still running.',
    fr: 'Une requête avec cet Idempotency-Key est en cours.',
  },
  erased: {
    status: 410,
    en: 'Its content was erased.',
    fr: 'Son contenu a été effacé.',
  },
  precondition_failed: {
    status: 412,
    en: 'It has changed since it was read.',
    fr: 'L’élément a changé depuis sa lecture.',
  },
  body_too_large: { status: 413, en: 'The body is too large.', fr: 'Le corps est trop grand.' },
  unsupported_media_type: {
    status: 415,
    en: 'This content type is not accepted here.',
    fr: 'Ce type de contenu n’est pas accepté ici.',
  },
  document_invalid: {
    status: 422,
    en: 'The document is not acceptable.',
    fr: 'Le document n’est pas acceptable.',
  },
  idempotency_key_reused: {
    status: 422,
    en: 'This Idempotency-Key was used with another request.',
    fr: 'Cet Idempotency-Key a servi à une autre requête.',
  },
  unprocessable: {
    status: 422,
    en: 'The request is well formed but cannot be done.',
    fr: 'La requête est bien formée mais ne peut pas être faite.',
  },
  rows_refused: {
    status: 422,
    en: 'Some rows are not acceptable: nothing was kept.',
    fr: 'Des lignes ne sont pas acceptables : rien n’a été gardé.',
  },
  template_invalid: {
    status: 422,
    en: 'The template is not valid.',
    fr: 'Le modèle n’est pas valide.',
  },
  extraction_failed: {
    status: 422,
    en: 'The data source does not answer this extraction.',
    fr: 'La source de données ne répond pas à cette extraction.',
  },
  precondition_required: {
    status: 428,
    en: 'The header If-Match is required here.',
    fr: 'L’en-tête If-Match est obligatoire ici.',
  },
  too_many_requests: { status: 429, en: 'Too many requests.', fr: 'Trop de requêtes.' },
  headers_too_large: { status: 431, en: 'The headers are too large.', fr: 'Les en-têtes sont trop grands.' },
  internal: { status: 500, en: 'An unexpected fault.', fr: 'Une panne inattendue.' },
  unavailable: {
    status: 503,
    en: 'The service is not ready: try again soon.',
    fr: 'Le service n’est pas prêt : réessayez bientôt.',
  },
  source_unavailable: {
    status: 503,
    en: 'The data source of an extraction cannot be reached: try again soon.',
    fr: 'La source de données d’une extraction est injoignable : réessayez bientôt.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCodes;

/** A name as a part of a pointer (RFC 6901). */
export const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** One thing that is wrong, where (RFC 6901 pointer into the body, or the name of a parameter), and which code. */
export interface ErrorItem {
  pointer: string;
  code: string;
  message: string;
}

/** A caller's mistake, or a state that forbids what was asked. Becomes a problem document (RFC 9457). */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly items: readonly ErrorItem[];
  /** Members added to the problem document, e.g. the current status. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    options: { detail?: string; items?: readonly ErrorItem[]; extra?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(options.detail ?? errorCodes[code].en, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.detail = options.detail;
    this.items = options.items ?? [];
    this.extra = options.extra ?? {};
  }
}

/** The same answer for what does not exist and for what belongs to another tenant. */
export function notFound(): AppError {
  return new AppError('not_found');
}

/** Like {@link invalidField}, with the place in the sentence: for what stands deep in a body. @throws AppError always. */
export function refuseAt(pointer: string, code: string, message: string): never {
  throw new AppError('unprocessable', { detail: `${pointer} ${message}`, items: [{ pointer, code, message }] });
}

/** One field of the body is wrong in a way that a schema cannot say. */
export function invalidField(pointer: string, code: string, message: string): AppError {
  return new AppError('unprocessable', { detail: message, items: [{ pointer, code, message }] });
}
