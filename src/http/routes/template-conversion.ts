import { reference } from '../../fields.ts';
import { convertOldFields } from '../../templates/convert/convert.ts';
import { ConversionRequest, TemplateConversion } from '../../templates/convert/schema.ts';
import { parseTemplateParts, TEMPLATE_PARTS } from '../../templates/rendering/liquid.ts';
import { operation } from '../openapi.ts';
import type { App } from '../validation.ts';

/** Texts of older applications. */
export function templateConversionRoutes(app: App): void {
  app.addSchema(TemplateConversion);
  app.post(
    '/v1/templates/convert',
    operation({
      id: 'convertTemplate',
      tag: 'content',
      summary: 'Turn a text in an old syntax into Liquid',
      description:
        'Nothing is kept. Style sheets, Liquid and other braces stay as they are. A field that is not understood stays too, and is told.',
      access: ['templates:create'],
      body: ConversionRequest,
      answers: { 200: reference('TemplateConversion') },
    }),
    async (request) => {
      const { syntaxes, ...texts } = request.body;
      const parts = TEMPLATE_PARTS.flatMap((part) => {
        const text = texts[part];
        if (text === undefined) return [];
        const options = { html: part === 'html', ...(syntaxes === undefined ? {} : { syntaxes }) };
        return [{ part, ...convertOldFields(text, options) }];
      });
      const converted = Object.fromEntries(parts.map(({ part, text }) => [part, text]));
      const parsed = parseTemplateParts({ subject: '', text: '', html: '', ...converted });
      return {
        ...converted,
        fields: parts.flatMap(({ part, fields }) => fields.map((field) => ({ part, ...field }))),
        problems: parsed.kind === 'problems' ? parsed.problems : [],
      };
    },
  );
}
