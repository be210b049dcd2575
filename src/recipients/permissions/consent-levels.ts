/** What a message is for, as a template says it: each needs a level of consent (M8). */
export const consentPurposes = ['management', 'prospecting', 'third-party'] as const;

export type ConsentPurpose = (typeof consentPurposes)[number];

/** Kinds of address that a person consents by. */
export const consentKinds = ['postal', 'landline', 'mobile', 'mail'] as const;

export type ConsentKind = (typeof consentKinds)[number];

/** Levels of consent: 0 refused, 1 management only, 2 also prospecting by the organisation, 3 also third parties. */
export type ConsentLevel = 0 | 1 | 2 | 3;

/** The level that a purpose needs. Null: management, which only a refusal (0) stops. */
export function levelOf(purpose: ConsentPurpose | null): 1 | 2 | 3 {
  return purpose === 'third-party' ? 3 : purpose === 'prospecting' ? 2 : 1;
}
