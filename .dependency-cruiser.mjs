// Circles of imports in src; imports of types count, too. The floors are in eslint.config.mjs.
export default {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'Files that import each other can be read only together.',
      severity: 'error',
      from: {},
      to: { circular: true }
    }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.test.json' }
  }
};
