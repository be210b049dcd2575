import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import Type from 'typebox';
import { AppError, errorCodes, type Language } from '../../errors.ts';
import { closed } from '../../fields.ts';
import { getStanding, type Refusal, type Standing, unsubscribe } from '../../messages/unsubscribe/unsubscribe.ts';
import type { Runtime } from '../../runtime.ts';
import { operation } from '../openapi.ts';
import { languageOf, sendProblem, toldFault } from '../problem.ts';
import { faultPage, sendPage, standingPage } from '../unsubscribe-page.ts';
import type { App } from '../validation.ts';

const params = closed({
  token: Type.String({ description: 'That of the link in a mail.' }),
});

const pageAnswer = {
  description: 'A page for people, in the language of the message',
  content: { 'text/html': { schema: Type.String() } },
};

const body = Type.Object(
  {
    'List-Unsubscribe': Type.Optional(
      Type.String({ enum: ['One-Click'], description: 'What mail programs send (RFC 8058): as `choice` `kind`.' }),
    ),
    choice: Type.Optional(
      Type.String({
        enum: ['kind', 'all'],
        description: '`kind`: this kind of message, where there is one, else everything. `all`: everything.',
      }),
    ),
  },
  { minProperties: 1 },
);

const formTypes = ['application/x-www-form-urlencoded', 'multipart/form-data'];

/** Far more than one field takes. */
const formBytes = 4_096;

/**
 * In a minute, of one link, or of one network address that asks for links that are none: tokens cannot be guessed, it is only
 * for the load. Not of the network address of those who have a link: it may be a mail provider's, or a proxy's, and a click
 * that is refused may not come again. Looking and acting are counted apart.
 */
const perMinute = 600;

/** @throws AppError `invalid_body` when it is no form. */
async function readForm(contentType: string, bytes: Buffer): Promise<FormData> {
  try {
    // The platform's own reader: it takes both encodings of a form.
    return await new Response(new Uint8Array(bytes), { headers: { 'content-type': contentType } }).formData();
  } catch (error) {
    throw new AppError('invalid_body', { detail: 'The body is not a form.', cause: error });
  }
}

/** @throws AppError `invalid_body` when the form asks for nothing. */
function wantedBy(form: unknown): Refusal {
  const fields = form instanceof FormData ? form : new FormData();
  const choice = fields.get('choice');
  if (choice === 'kind' || choice === 'all') return choice;
  const click = fields.get('List-Unsubscribe');
  if (typeof click === 'string' && click.trim().toLowerCase() === 'one-click') return 'kind';
  const message = 'must be kind or all, or List-Unsubscribe must be One-Click';
  throw new AppError('invalid_body', {
    detail: `/choice ${message}`,
    items: [{ pointer: '/choice', code: 'required', message }],
  });
}

/** That of the message, else the one the reader prefers. */
function pageLanguage(request: FastifyRequest, { locale }: Pick<Standing, 'locale'>): Language {
  if (/^fr\b/i.test(locale)) return 'fr';
  return /^en\b/i.test(locale) ? 'en' : languageOf(request);
}

function answer(request: FastifyRequest, reply: FastifyReply, standing: Standing | null, acted: boolean): FastifyReply {
  if (standing === null) throw new AppError('not_found');
  return sendPage(reply, 200, standingPage(pageLanguage(request, standing), standing, acted));
}

const faultPages: Partial<Record<AppError['code'], Parameters<typeof faultPage>[1]>> = {
  not_found: 'gone',
  too_many_requests: 'busy',
  invalid_body: 'choice',
  body_too_large: 'choice',
  unsupported_media_type: 'choice',
  unavailable: 'later',
  internal: 'later',
};

/** People get a page, programs a problem document. */
function answerFault(log: Logger, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const told = toldFault(log, request, error);
  // A path that cannot be read is no link of ours either, and is told the same.
  const shown = told.code === 'invalid_query' ? new AppError('not_found', { cause: error }) : told;
  const fault = faultPages[shown.code];
  const forPeople = /\btext\/html\b/i.test(request.headers.accept ?? '');
  if (fault === undefined || !forPeople) return sendProblem(request, reply.header('cache-control', 'no-store'), shown);
  return sendPage(reply, errorCodes[shown.code].status, faultPage(languageOf(request), fault));
}

function limited({ links }: Runtime) {
  const keyGenerator = (request: FastifyRequest) => {
    const { token = '' } = request.params as { token?: string };
    return links.read(token) === null ? request.ip : token;
  };
  return { rateLimit: { max: perMinute, timeWindow: 60_000, keyGenerator } };
}

function showRoute(app: App, runtime: Runtime): void {
  const described = operation({
    id: 'showUnsubscribe',
    tag: 'people',
    summary: 'The page of a link to unsubscribe',
    description:
      'Shows what can be refused and what is refused already, and changes nothing: scanners follow links. Errors are pages too where `text/html` is asked for.',
    access: 'public',
    params,
    answers: { 200: pageAnswer as never },
  });
  app.get('/u/:token', { ...described, config: { ...described.config, ...limited(runtime) } }, async (request, reply) =>
    answer(request, reply, await getStanding(runtime, request.params.token), false),
  );
}

function actRoute(app: App, runtime: Runtime): void {
  const described = operation({
    id: 'unsubscribe',
    tag: 'people',
    summary: 'Unsubscribe by the link of a mail',
    description:
      'Acts at once, without a log-in or a cookie: one click of the mail program (RFC 8058), or the choice on the page. `kind` refuses the kind of notice in the name of the recipient, or prospecting; where there is neither, and with `all`, the address is suppressed. Repeats change nothing, and the link of a test message never does. Errors are pages too where `text/html` is asked for.',
    access: 'public',
    params,
    body: body as never,
    consumes: formTypes,
    answers: { 200: pageAnswer as never },
  });
  app.post(
    '/u/:token',
    {
      ...described,
      // The form is read by hand: there is no value to hold against the schema.
      validatorCompiler: () => () => true,
      config: { ...described.config, ...limited(runtime) },
    },
    async (request, reply) => {
      const { token } = request.params as { token: string };
      return answer(request, reply, await unsubscribe(runtime, token, wantedBy(request.body)), true);
    },
  );
}

/**
 * The link to unsubscribe, for people and mail programs. The token is all there is: no cookie and no log-in, so that a page
 * of somebody else can do nothing that whoever has the token cannot do anyway (no token against forgery is needed).
 */
export async function unsubscribeRoutes(app: App, runtime: Runtime): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      formTypes,
      { parseAs: 'buffer', bodyLimit: formBytes },
      async (request: FastifyRequest, bytes: Buffer) => readForm(request.headers['content-type'] ?? '', bytes),
    );
    scope.setErrorHandler((error, request, reply) => answerFault(runtime.log, error, request, reply));
    showRoute(scope as unknown as App, runtime);
    actRoute(scope as unknown as App, runtime);
  });
}
