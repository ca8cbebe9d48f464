import { expect, test } from 'vitest';
import { writeRolesByOperator } from '../../../src/notifications/kinds/roles-by-operator.ts';

test('a mail says what an operator did alone, and to whom to turn', () => {
  const done = {
    ...{ recipientName: 'Grace', organizationName: 'Acme', operatorName: 'Otto' },
    summary: 'Assign the role Organization admin over Acme to mallory@evil.example',
    operatorEmail: 'otto@vendor.example',
    doneAt: new Date('2026-11-23T10:16:59Z'),
  };
  expect(writeRolesByOperator(done)).toEqual({
    subject: 'Acme: the vendor has appointed somebody',
    text: `Hello Grace,

Your organization has no active organization admin, so an operator of the
vendor did the following without the confirmation of one.

Organization: Acme
Change:       Assign the role Organization admin over Acme to mallory[@]evil[.]example
Operator:     Otto, otto@vendor.example
In effect:    since 2026-11-23 10:16 UTC

If you did not expect this, ask the vendor, and look at your organization's
audit log.
`,
  });
});
