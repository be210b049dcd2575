import t from 'tap';
import type { DeliveryStep } from '../../src/channels/channel.ts';
import { deliveryReasons } from '../../src/channels/delivery-reasons.ts';
import { classifySmtpFailure, readSmtpReply, type SmtpFailure, smtpOutcome } from '../../src/channels/smtp/outcomes.ts';
import { rows } from './smtp-outcome-rows.ts';

const failure = (step: DeliveryStep, reply: string | null, over: Partial<SmtpFailure> = {}): SmtpFailure => ({
  step,
  ...readSmtpReply(reply),
  errorCode: null,
  bodyWritten: step === 'body',
  ...over,
});

t.test('answers of servers, one by one', async (t) => {
  for (const [step, reply, expected] of rows) {
    const verdict = classifySmtpFailure(failure(step, reply));
    t.equal(
      `${verdict.kind} ${verdict.reason}${verdict.kind === 'permanent' && verdict.suppressAddress ? ' suppress' : ''}`,
      expected,
      `${step}: ${reply}`,
    );
  }
  t.ok(rows.length >= 90, `${rows.length} rows`);
  t.equal(new Set(rows.map(([step, reply]) => `${step} ${reply}`)).size, rows.length, 'no row twice');
});

t.test('no answer: what the error and the written content say', async (t) => {
  const without: [step: DeliveryStep, errorCode: string, bodyWritten: boolean, expected: string][] = [
    ['connect', 'ECONNREFUSED', false, 'transient connection_failed'],
    ['connect', 'ENOTFOUND', false, 'transient connection_failed'],
    ['connect', 'EDNS', false, 'transient connection_failed'],
    ['connect', 'ECONNRESET', false, 'transient connection_failed'],
    ['connect', 'ETIMEDOUT', false, 'transient timed_out'],
    ['connect', 'EHOSTNOTALLOWED', false, 'account_fault host_not_allowed'],
    ['tls', 'ETLS', false, 'account_fault tls_failed'],
    ['tls', 'ERR_TLS_CERT_ALTNAME_INVALID', false, 'account_fault tls_failed'],
    ['tls', 'ECONNRESET', false, 'transient connection_lost'],
    ['auth', 'EAUTH', false, 'account_fault authentication_failed'],
    ['recipient', 'ETIMEDOUT', false, 'transient timed_out'],
    ['recipient', 'ECONNECTION', false, 'transient connection_lost'],
    ['sender', 'EMESSAGE', false, 'permanent message_too_large'],
    ['sender', 'EENVELOPE', false, 'permanent address_invalid'],
    ['body', 'ECONNRESET', false, 'transient connection_lost'],
    ['body', 'ETIMEDOUT', false, 'transient timed_out'],
    ['body', 'ETIMEDOUT', true, 'uncertain outcome_unknown'],
    ['body', 'ECONNRESET', true, 'uncertain outcome_unknown'],
    ['body', 'EPROTOCOL', true, 'uncertain outcome_unknown'],
  ];
  for (const [step, errorCode, bodyWritten, expected] of without) {
    const verdict = classifySmtpFailure(failure(step, null, { errorCode, bodyWritten }));
    t.equal(`${verdict.kind} ${verdict.reason}`, expected, `${step} ${errorCode} ${bodyWritten}`);
  }
  t.equal(
    classifySmtpFailure(failure('body', '354 go on', { bodyWritten: true })).kind,
    'uncertain',
    'neither yes nor no',
  );
  t.equal(classifySmtpFailure(failure('body', 'gibberish', { bodyWritten: true })).kind, 'uncertain');
});

t.test(
  'whatever the code and words: 4xx is never permanent, 421 always transient, an answer never uncertain',
  async (t) => {
    const steps: DeliveryStep[] = ['connect', 'tls', 'auth', 'sender', 'recipient', 'body'];
    const words = rows.map(([, reply]) => reply.replace(/^\d{3}[ -]/gm, '').replace(/\d\.\d+\.\d+ /g, ''));
    let wrong = 0;
    for (const step of steps) {
      for (const code of [421, 450, 454, 499, 500, 550, 599]) {
        for (const text of words) {
          const { kind } = classifySmtpFailure({
            step,
            code,
            enhancedCode: null,
            text,
            errorCode: 'ETIMEDOUT',
            bodyWritten: true,
          });
          if (kind === 'uncertain' || (code < 500 && kind === 'permanent') || (code === 421 && kind !== 'transient'))
            wrong += 1;
        }
      }
    }
    t.equal(wrong, 0);
  },
);

t.test('a reply is taken apart', async (t) => {
  t.strictSame(readSmtpReply('550-5.1.1 one\r\n550 5.1.1 two'), { code: 550, enhancedCode: '5.1.1', text: 'one two' });
  t.strictSame(readSmtpReply('250 2.0.0 Ok: queued as 4X'), {
    code: 250,
    enhancedCode: '2.0.0',
    text: 'Ok: queued as 4X',
  });
  t.strictSame(readSmtpReply('450 5.1.1 other class'), { code: 450, enhancedCode: null, text: 'other class' });
  t.strictSame(readSmtpReply('550'), { code: 550, enhancedCode: null, text: null });
  for (const nothing of [null, undefined, '', '55', 'hello', '5500 x'])
    t.strictSame(readSmtpReply(nothing), { code: null, enhancedCode: null, text: null });
});

t.test('the text kept has no address, no secret, no control character, and an end', async (t) => {
  const outcome = smtpOutcome(
    failure(
      'recipient',
      `550 5.1.1 <Some.One@exemple.fr>\u0000: \u001b[31m hunter22 \ud800 unknown user ${'x'.repeat(900)}`,
    ),
    ['hunter22', ''],
  );
  t.match(outcome, {
    kind: 'permanent',
    reason: 'mailbox_unknown',
    answer: { step: 'recipient', code: 550, enhancedCode: '5.1.1' },
  });
  const text = outcome.answer.text ?? '';
  t.equal(text.length, 500);
  t.ok(text.startsWith('<…> : [31m … \ufffd unknown user xxx'), text.slice(0, 60));
});

t.test('a wait the provider names is kept, within a day', async (t) => {
  const wait = (text: string): unknown => smtpOutcome(failure('recipient', `450 ${text}`));
  t.match(wait('Greylisted, try again in 300 seconds'), { retryAfterSeconds: 300 });
  t.match(wait('come back after 5 minutes'), { retryAfterSeconds: 300 });
  t.match(wait('retry in 2 hours'), { retryAfterSeconds: 7200 });
  t.match(wait('retry in 99999 hours'), { retryAfterSeconds: 86400 });
  t.match(wait('error in 3 steps'), { retryAfterSeconds: null });
  t.match(wait('later'), { retryAfterSeconds: null });
});

t.test('every reason has one code and a sentence in both languages', async (t) => {
  const codes = deliveryReasons.map((reason) => reason.code);
  t.equal(new Set(codes).size, codes.length);
  for (const { code, en, fr } of deliveryReasons) {
    t.match(code, /^[a-z]+(_[a-z]+)*$/);
    t.ok(en.endsWith('.') && fr.endsWith('.') && (en as string) !== fr, code);
  }
});
