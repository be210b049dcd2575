export * from './content.ts';
export * from './dispatch.ts';
export * from './events.ts';
export * from './merge-fields.ts';
export * from './messages.ts';
export * from './people.ts';
export * from './templates.ts';
export * from './tenants.ts';
