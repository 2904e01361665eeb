import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [
    {
      // as the extension's builder has it: an icon is its text
      name: 'svg-as-text',
      enforce: 'pre',
      load(id) {
        return id.split('?')[0]?.endsWith('.svg')
          ? `import { readFileSync } from 'node:fs';
             export default readFileSync(${JSON.stringify(id.split('?')[0])}, 'utf8');`
          : undefined;
      }
    }
  ],
  // one copy of each: what is loaded as UMD would require further ones
  resolve: { mainFields: ['module', 'main'] },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.spec.{ts,tsx}'],
    setupFiles: [
      fileURLToPath(new URL('src/testing/browser.ts', import.meta.url))
    ],
    // published as modules without file endings, which Node alone does not resolve
    server: { deps: { inline: [/@jupyterlab\//, /@jupyter\//, /@lumino\//] } },
    css: false,
    restoreMocks: true
  }
});
