import { ESLint, Linter } from 'eslint';
import { parser } from 'typescript-eslint';
import { beforeAll, describe, expect, it } from 'vitest';

let rules: Linter.RulesRecord;

beforeAll(async () => {
  ({ rules } = (await new ESLint().calculateConfigForFile(
    'src/panel/view/targets.tsx'
  )) as { rules: Linter.RulesRecord });
}, 60_000);

/** How many texts in a source ESLint refuses because no translation reaches them. */
function refused(source: string): number {
  return new Linter().verify(
    source,
    {
      files: ['**/*.tsx'],
      languageOptions: {
        parser,
        parserOptions: { ecmaFeatures: { jsx: true } }
      },
      rules: Object.fromEntries(
        Object.entries(rules).filter(
          ([name]) => name === 'no-restricted-syntax'
        )
      )
    },
    'a.tsx'
  ).length;
}

describe('a text outside trans.__', () => {
  it.each([
    'export const a = <p>Not translated</p>;',
    "export const a = <p>{'Not translated'}</p>;",
    'export const a = (n: number) => <p>{`${n} runs`}</p>;',
    "export const a = (n: number) => <p>{n > 1 ? 'runs' : ''}</p>;",
    'export const a = <button title="Not translated" />;',
    "export const a = <input placeholder={'Not translated'} />;",
    'export const a = (n: number) => <i aria-label={`Run ${n}`} />;',
    "export const a = { label: 'Not translated' };",
    "export const a = { caption: () => 'Not translated' };",
    "export function a(w: { title: { label: string } }) { w.title.label = 'MLflow runs'; }",
    "export function a() { throw new Error('Not translated'); }",
    "declare const Notification: { error(text: string): void }; Notification.error('Not translated');"
  ])('is refused: %s', source => {
    expect(refused(source)).toBe(1);
  });

  it.each([
    "declare const trans: { __(text: string): string }; export const a = <p title={trans.__('Said')}>{trans.__('Said')} · 3</p>;",
    'export const a = <code>POST /mlops</code>;',
    'export const a = <div className="jp-Mlops" role="status" />;',
    "export const a = { name: 'loss', kind: 'cron' };"
  ])('is not what this is: %s', source => {
    expect(refused(source)).toBe(0);
  });
});
