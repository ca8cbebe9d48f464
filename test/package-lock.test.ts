import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      link: z.boolean().optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

describe.each(['', 'test/mutation/', 'test/clients/'])('%spackage-lock.json', (folder) => {
  const file = new URL(`../${folder}package-lock.json`, import.meta.url);
  const lock = Lock.parse(JSON.parse(readFileSync(file, 'utf8')));

  test('names the optional packages of every platform, as npm ci requires', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          !(`${path}/node_modules/${name}` in lock.packages) && !(`node_modules/${name}` in lock.packages),
      ),
    );
    expect(missing).toEqual([]);
  });

  test('holds the integrity of every package, so that no registry can send another one', () => {
    const unknown = Object.entries(lock.packages).flatMap(([path, { integrity, link }]) =>
      path === '' || link === true || /^sha512-[\w+/]{86}==$/.test(integrity ?? '') ? [] : path,
    );
    expect(unknown).toEqual([]);
  });

  test('works with any registry', () => {
    const bound = Object.entries(lock.packages).filter(([, { resolved }]) => resolved !== undefined);
    expect(bound).toEqual([]);
  });
});
