import { type ApiClient, ApiProblem } from './client.ts';

const subject = 'Avis d’échéance du {{ echeance }} : contrat {{ contrat }}';

const text = `{{ Adr_Titre }} {{ Adr_Prenom }} {{ Adr_Nom }},

Votre contrat {{ contrat }} arrive à échéance le {{ echeance }}.
Montant à régler : {{ montant }}

Vous trouverez votre avis d’échéance en pièce jointe (dossier {{ dossier }}).
Merci de rappeler ce numéro de dossier dans toute correspondance.

Cabinet Aubépine
12, quai de la Fosse, 44000 NANTES
`;

const html = `<!doctype html>
<html lang="fr">
<body style="margin:0;background:#eef3f5;font-family:Helvetica,Arial,sans-serif;color:#1f2933">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" style="padding:24px 12px">
<table role="presentation" width="560" cellpadding="0" cellspacing="0" style="max-width:560px;width:100%;background:#ffffff;border-top:6px solid #1d4e63">
<tr><td style="padding:28px 32px 8px;font-size:20px;font-weight:bold;color:#1d4e63">Cabinet Aubépine</td></tr>
<tr><td style="padding:8px 32px;font-size:15px;line-height:1.5">
<p>{{ Adr_Titre }} {{ Adr_Prenom }} {{ Adr_Nom }},</p>
<p>Votre contrat <strong>{{ contrat }}</strong> arrive à échéance le <strong>{{ echeance }}</strong>.</p>
<table role="presentation" width="100%" cellpadding="10" cellspacing="0" style="background:#eef3f5"><tr>
<td>Montant à régler</td><td align="right" style="font-weight:bold">{{ montant }}</td></tr></table>
<p>Vous trouverez votre avis d’échéance en pièce jointe.<br>
Merci de rappeler le numéro de dossier <strong>{{ dossier }}</strong> dans toute correspondance.</p>
</td></tr>
<tr><td style="padding:12px 32px 28px;font-size:12px;color:#5f6c7b">12, quai de la Fosse, 44000 NANTES</td></tr>
</table></td></tr></table>
</body>
</html>
`;

/** Creates something that an earlier run may have made already: a 409 `conflict` is as good as a success. */
async function createOnce(client: ApiClient, path: string, body: unknown): Promise<void> {
  try {
    await client.post(path, body);
  } catch (error) {
    if (!(error instanceof ApiProblem && error.code === 'conflict')) throw error;
  }
}

interface TemplateItem {
  id: string;
  currentVersion?: number | null;
}

/** A run that was stopped half way leaves a template without a published version: the version is checked, not the template. */
async function publishTemplate(client: ApiClient): Promise<void> {
  await createOnce(client, '/v1/templates', {
    key: 'avis-echeance',
    title: 'Avis d’échéance',
    channel: 'mail',
    category: 'transactional',
    notificationType: 'ae-par-mail',
    documentTypes: ['avis-echeance'],
  });
  const { items } = await client.get<{ items: TemplateItem[] }>('/v1/templates?key=avis-echeance');
  const [template] = items;
  if (template === undefined) throw new Error('The template avis-echeance was created but is not listed');
  if (typeof template.currentVersion === 'number') return;
  const path = `/v1/templates/${template.id}/versions`;
  const { version } = await client.post<{ version: number }>(path, { subject, text, html });
  await client.post(`${path}/${version}/publish`, {});
}

/** The sender, the notification type (the box "AE par mail", off by default) and the template, made unless they exist. */
export async function setUpTenant(client: ApiClient): Promise<void> {
  await createOnce(client, '/v1/senders', {
    key: 'cabinet-aubepine',
    fromAddress: 'avis@aubepine-courtage.example',
    fromName: 'Cabinet Aubépine',
    replyTo: 'gestion@aubepine-courtage.example',
    archiveBcc: ['archive@aubepine-courtage.example'],
    isDefault: true,
  });
  await createOnce(client, '/v1/notification-types', {
    key: 'ae-par-mail',
    title: 'AE par mail',
    active: true,
    channels: ['mail'],
    defaultChoice: 'off',
  });
  await publishTemplate(client);
}
