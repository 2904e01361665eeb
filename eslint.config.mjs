import { fileURLToPath } from 'node:url';
import prettier from 'eslint-config-prettier';
import hooks from 'eslint-plugin-react-hooks';
import js from '@eslint/js';
import ts from 'typescript-eslint';
import { untranslated } from './scripts/untranslated.mjs';

// From the ground up. A file imports its own folder and lower floors only; the domains of one floor do not
// know each other: what one needs of another it gets by a command.
const FLOORS = [
  ['api'],
  ['model'],
  ['ui'],
  ['graph'],
  ['documents', 'panel', 'sweeps', 'pipelines', 'schedules', 'compute']
];

/** Which folders each folder may not import, for all that is one level below src or deeper. */
const floors = FLOORS.flatMap((folders, floor) =>
  folders.map(folder => {
    const forbidden = FLOORS.slice(floor)
      .flat()
      .filter(other => other !== folder);
    return {
      files: [`src/${folder}/**`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                regex: `^(\\.\\./)+(${forbidden.join('|')})(/|$)`,
                message: `src/${folder} imports lower floors only; see ARCHITECTURE.md.`
              }
            ]
          }
        ]
      }
    };
  })
);

export default ts.config(
  { ignores: ['lib', 'node_modules', 'jupyter_mlops', '.venv', 'ui-tests'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [ts.configs.recommendedTypeChecked],
    plugins: { 'react-hooks': hooks },
    languageOptions: {
      parserOptions: {
        project: './tsconfig.test.json',
        tsconfigRootDir: fileURLToPath(new URL('.', import.meta.url))
      }
    },
    rules: {
      ...hooks.configs.recommended.rules,
      eqeqeq: 'error',
      curly: 'error',
      // Lumino's signals take the listener's `this` as an argument
      '@typescript-eslint/unbound-method': 'off',
      // merging a namespace of ids with a token is JupyterLab's convention
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-redeclare': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true }
      ]
    }
  },
  ...floors,
  {
    files: ['src/**'],
    ignores: ['src/testing/**', 'src/**/*.spec.{ts,tsx}'],
    rules: { 'no-restricted-syntax': ['error', ...untranslated] }
  },
  {
    files: ['scripts/**', '*.mjs'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly' } }
  },
  prettier
);
