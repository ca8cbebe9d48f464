import { expect, test } from 'vitest';
import { withConsole } from '../../../src/notifications/letter.ts';

test('a mail ends with the link to the console, if its URL is known', () => {
  const mail = { subject: 'Decide', text: 'Hello Grace,\n' };
  expect(withConsole(mail, null)).toEqual(mail);
  expect(withConsole(mail, 'https://admin.example/access')).toEqual({
    subject: 'Decide',
    text: 'Hello Grace,\n\nThe console: https://admin.example/access\n',
  });
});
