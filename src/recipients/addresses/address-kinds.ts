/** Kinds of address. */
export const addressKinds = ['mail', 'mobile', 'landline', 'postal', 'push', 'portal'] as const;
