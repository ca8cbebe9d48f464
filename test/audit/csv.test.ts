/** Records as lines of CSV: whatever people have written, a spreadsheet computes nothing and keeps the cells apart. */
import { expect, test } from 'vitest';
import { csvHeader, csvLines } from '../../src/audit/csv.ts';
import type { AuditRecord } from '../../src/audit/record.ts';

const record: AuditRecord = {
  ...{ id: 'QXVkaXQ=', position: 7, occurredAt: '2026-01-02T03:04:05.678Z' },
  ...{ action: 'grant.approve', outcome: 'SUCCEEDED', count: 1 },
  actor: { kind: 'USER', id: 'VXNlcjox', email: 'rita@acme.example', name: 'Rita' },
  resource: { type: 'Grant', id: 'R3JhbnQ6MQ==' },
  ticketKey: 'SUP-1',
  details: { to: 'ACTIVE' },
};

test('a record is a line under the names of its columns', () => {
  expect(csvHeader).toBe(
    '\ufeffposition,occurredAt,action,outcome,refusalCode,count,actorKind,actorName,actorEmail,resourceType,resourceId,siteUrl,productKey,ticketKey,grantId,supportSessionId,clientAddress,userAgent,requestId,details,id\r\n',
  );
  expect(csvLines([record, { ...record, position: 8 }])).toBe(
    [7, 8]
      .map(
        (position) =>
          `${position},2026-01-02T03:04:05.678Z,grant.approve,SUCCEEDED,,1,USER,Rita,rita@acme.example,Grant,R3JhbnQ6MQ==,,,SUP-1,,,,,,"{""to"":""ACTIVE""}",QXVkaXQ=\r\n`,
      )
      .join(''),
  );
  expect(csvLines([])).toBe('');
});

test.for<[string, string]>([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t=1"],
  ['\r=1', `"'\r=1"`],
  ['a=1', 'a=1'],
  ['a "b", c', '"a ""b"", c"'],
  ['a\nb', '"a\nb"'],
])('the name %j is the cell %j', ([name, cell]) => {
  const line = csvLines([{ ...record, actor: { kind: 'USER', name } }]);
  expect(line).toContain(`,USER,${cell},,Grant,`);
});
