/**
 * `npm run audit:key -- <name>`: prints a new key with which the heads of audit logs are signed, for AUDIT_SIGNING_KEYS. Its
 * name is what the addresses of the logs begin with: `support-access.vendor.example/audit/log`.
 */
import { newSigningKey, parseSigningKey, verifierKey } from './transparency/signed-note.ts';

const [, , name = ''] = process.argv;
const key = newSigningKey(name);
const parsed = parseSigningKey(key);
if (parsed === null) {
  process.stderr.write(
    'Name the key after the addresses of the logs, without https://, spaces and +: npm run audit:key -- support-access.vendor.example/audit/log\n',
  );
  process.exitCode = 1;
} else {
  process.stdout.write(
    `For AUDIT_SIGNING_KEYS, and secret:\n${key}\n\nIts public part, once another key has replaced it:\n${verifierKey(parsed)}\n`,
  );
}
