import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What the documents name must exist, and what exists must be named: an operator at night has nothing else. */
const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const docs = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter((path) =>
  path.endsWith('.md'),
);
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.ts'),
);

describe('the documents', () => {
  it('every setting is explained to operators and stands in the example file', () => {
    const settings = [...read('src/infra/config.ts').matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map((match) => match[1] ?? '');
    expect(settings.length).toBeGreaterThan(12);
    const operations = read('docs/operations.md');
    expect(settings.filter((setting) => !operations.includes(`\`${setting}\``))).toEqual([]);
    const example = read('.env.example');
    expect(settings.filter((setting) => !new RegExp(`^${setting}=`, 'm').test(example))).toEqual([]);
  });

  it('every metric is explained to operators', () => {
    const names = sources.flatMap((path) =>
      [...read(`src/${path}`).matchAll(/name: '([a-z]+(?:_[a-z]+)+)',\s+help:/g)].map((match) => match[1] ?? ''),
    );
    expect(names.length).toBeGreaterThan(8);
    const operations = read('docs/operations.md');
    expect(names.filter((name) => !operations.includes(name))).toEqual([]);
  });

  it('every reason of an unmatched line is explained', () => {
    const schema = read('migrations/0007_attribution.sql');
    const list = /attributions_reason_check check \(reason in\s*\(([^)]*)\)/.exec(schema)?.[1] ?? '';
    const reasons = [...list.matchAll(/'([a-z_]+)'/g)].map((match) => match[1] ?? '');
    expect(reasons).toHaveLength(13);
    const attribution = read('docs/attribution.md');
    expect(reasons.filter((reason) => !attribution.includes(`\`${reason}\``))).toEqual([]);
  });

  it('every link between them leads somewhere', () => {
    const broken = docs.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map((match) => join(path, '..', match[1] ?? ''))
        .filter((target) => {
          try {
            read(target);
            return false;
          } catch {
            return true;
          }
        })
        .map((target) => `${path} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('name no path of a developer’s machine', () => {
    const files = [...docs, 'CONTRIBUTING.md', 'CHANGELOG.md', '.env.example', 'Dockerfile', 'docker-compose.yml'];
    expect(files.filter((path) => /\/(?:root|home|work|tmp)\//.test(read(path)))).toEqual([]);
  });
});
