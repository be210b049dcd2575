import { reference } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { ConversionRequest, TemplateConversion } from '../../templates/convert/schema.ts';
import { operation } from '../openapi.ts';
import type { App } from '../validation.ts';

/** Texts of older applications. */
export function templateConversionRoutes(app: App, runtime: Runtime): void {
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
      errors: ['template_invalid'],
    }),
    (request) => {
      const { syntaxes, ...texts } = request.body;
      return runtime.reader.run('convertTexts', texts, syntaxes);
    },
  );
}
