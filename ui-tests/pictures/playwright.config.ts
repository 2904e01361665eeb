import { join } from 'node:path';
import base from '../playwright.config';

export default {
  ...base,
  testDir: __dirname,
  testMatch: '*.shot.ts',
  outputDir: join(__dirname, '..', 'test-results'),
  timeout: 600_000,
  webServer: { ...base.webServer, cwd: join(__dirname, '..') }
};
