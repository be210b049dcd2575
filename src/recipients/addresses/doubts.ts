import Type from 'typebox';
import { closed, nullable, words } from '../../fields.ts';
import { probablyMeant } from './mistyped.ts';
import { isTelephone, type RecipientAddress } from './read-addresses.ts';
import { telephoneDoubt } from './telephone.ts';

const messages = {
  address_looks_mistyped:
    'looks mistyped: the domain is nearly that of a well-known provider, or its ending does not exist',
  telephone_looks_mistyped: 'looks mistyped: as far as is known nobody has such a number',
  telephone_is_mobile: 'is the number of a mobile: of the kind mobile it could get text messages',
} as const;

type Code = keyof typeof messages;

/** What looks wrong with an address that was taken all the same. */
export const Doubt = closed({
  pointer: Type.String({ description: 'Into the recipient (RFC 6901).' }),
  code: words(Object.keys(messages) as Code[]),
  message: Type.String(),
  suggestion: nullable(Type.String({ description: 'What was probably meant.' })),
});

/** A doubt about an address. */
export interface AddressDoubt {
  pointer: string;
  code: Code;
  message: string;
  suggestion: string | null;
}

function doubt(pointer: string, code: Code, suggestion: string | null): AddressDoubt {
  return { pointer, code, message: messages[code], suggestion };
}

/** What looks wrong with the addresses of a recipient. It stops nothing: the person who typed them knows better. */
export function doubtsAbout(addresses: readonly RecipientAddress[]): AddressDoubt[] {
  return addresses.flatMap(({ kind, normalized, value }, index) => {
    const pointer = `/addresses/${index}`;
    if (kind === 'mail') {
      const meant = probablyMeant(value);
      return meant === null ? [] : [doubt(`${pointer}/value`, 'address_looks_mistyped', meant)];
    }
    const code = isTelephone(kind) ? telephoneDoubt(kind, normalized) : null;
    if (code === null) return [];
    const isMobile = code === 'telephone_is_mobile';
    return [doubt(`${pointer}/${isMobile ? 'kind' : 'value'}`, code, isMobile ? 'mobile' : null)];
  });
}
