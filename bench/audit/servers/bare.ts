/** The least that answers from the log: `node:http` and `pg`, one statement for each request, with the token verified. */
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import { answerWith, readBody } from '../../api/servers/answering.ts';
import { type Setting, type Started, serve } from '../../api/servers/server.ts';
import { placesSql } from '../../api/sql.ts';
import {
  type AskedPage,
  type AskedSummary,
  type Count,
  foundIn,
  pageSql,
  pageValues,
  summarySql,
} from '../searches.ts';

const connections = 20;
const whose = '(SELECT organization_id FROM places)';

serve(async (setting: Setting): Promise<Started> => {
  const pool = new pg.Pool({ connectionString: setting.databaseUrl, max: connections });
  const keys = createLocalJWKSet(setting.jwks);
  return await answerWith(async (request) => {
    const { authorization = '' } = request.headers;
    const { payload } = await jwtVerify(authorization.slice('Bearer '.length), keys, setting.tokens);
    const viewer = String(payload['email']);
    const asked = await readBody<AskedPage | AskedSummary>(request);
    if ('name' in asked) {
      const text = `${placesSql} ${pageSql(asked, whose)}`;
      return foundIn((await pool.query(text, pageValues(viewer, asked))).rows);
    }
    const text = `${placesSql} ${summarySql(whose)}`;
    return (await pool.query<Count>(text, [viewer, asked.from, asked.until])).rows;
  });
});
