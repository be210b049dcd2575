/** What a message is for, as a template says it: each needs a level of consent (M8). */
export const consentPurposes = ['management', 'prospecting', 'third-party'] as const;

export type ConsentPurpose = (typeof consentPurposes)[number];

/** Kinds of address that a person consents by. */
export const consentKinds = ['postal', 'landline', 'mobile', 'mail'] as const;

export type ConsentKind = (typeof consentKinds)[number];

/** Levels of consent: 0 refused, 1 management only, 2 also prospecting by the organisation, 3 also third parties. */
export type ConsentLevel = 0 | 1 | 2 | 3;

const levels = { management: 1, prospecting: 2, 'third-party': 3 } as const satisfies Record<
  ConsentPurpose,
  ConsentLevel
>;

/** What of a template says which consent its messages need. */
export interface ConsentNeed {
  consentPurpose: ConsentPurpose | null;
  category: string;
  notificationTypeId: string | null;
}

/**
 * The level that messages of a template need: that of its purpose. Without one it is management (1), which only a refusal
 * stops; but advertising of no kind that people could refuse by itself is prospecting (2).
 */
export function levelNeededBy({ consentPurpose, category, notificationTypeId }: ConsentNeed): 1 | 2 | 3 {
  if (consentPurpose !== null) return levels[consentPurpose];
  return category === 'marketing' && notificationTypeId === null ? levels.prospecting : levels.management;
}
