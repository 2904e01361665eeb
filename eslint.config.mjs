import { fileURLToPath } from 'node:url';
import prettier from 'eslint-config-prettier';
import hooks from 'eslint-plugin-react-hooks';
import js from '@eslint/js';
import ts from 'typescript-eslint';

/** Files that may not import what stands beside or above them. */
function floor(files, ...forbidden) {
  return {
    files,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: forbidden.map(([regex, message]) => ({ regex, message }))
        }
      ]
    }
  };
}

const VIEWS = ['^\\..*/views/', 'views are put together by those above'];
const COMMANDS = [
  '^\\..*/(commands|start|pipelinecommands|promoting)$',
  'execute commands by their ids'
];
const MODEL = [
  '^\\..*/(model|pipelinemodel)$',
  'use the IMlopsModel of tokens.ts'
];
const TOKENS = ['^\\..*/tokens$', 'the tokens stand above'];
const TOP = [
  '^(\\./|(\\.\\./)+)(main|panel|documents)$',
  'these stand at the top'
];

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
  floor(['src/api/**'], VIEWS, COMMANDS, MODEL, TOP, TOKENS),
  floor(
    ['src/tokens.ts', 'src/model.ts', 'src/pipelinemodel.ts'],
    VIEWS,
    COMMANDS,
    TOP
  ),
  floor(
    [
      'src/asking.tsx',
      'src/promote.tsx',
      'src/scheduling.tsx',
      'src/backfill.tsx',
      'src/rerun.tsx'
    ],
    COMMANDS,
    MODEL,
    TOP
  ),
  floor(['src/commands.ts', 'src/start.tsx'], VIEWS, MODEL, TOP),
  floor(['src/sharing.tsx'], VIEWS, COMMANDS, MODEL, TOP),
  floor(['src/views/**'], COMMANDS, MODEL, [
    '^(\\.\\./)+(main|panel|documents)$',
    'these stand at the top'
  ]),
  {
    files: ['scripts/**', '*.mjs'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly' } }
  },
  prettier
);
