import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const home = process.env.MLOPS_UI_TESTS_HOME;
const port = process.env.MLOPS_UI_TESTS_PORT;
if (!home || !port) {
  throw new Error('Start the tests by ui-tests/run, which prepares for them.');
}
const baseURL = `http://127.0.0.1:${port}/user/ada`;
const system = '/usr/bin/chromium';

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  reporter: [['list']],
  // one server, one store, few cores
  workers: 1,
  retries: 0,
  // tests wait for what happens; a machine with too much to do may take its time
  timeout: 400_000,
  expect: { timeout: 90_000 },
  forbidOnly: !!process.env.CI,
  use: {
    baseURL,
    actionTimeout: 90_000,
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    video: 'off',
    trace: 'off',
    screenshot: 'only-on-failure',
    launchOptions: {
      ...(existsSync(system) && { executablePath: system }),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync'
      ]
    }
  },
  webServer: {
    command:
      'exec jupyter lab --config jupyter_server_test_config.py >"$MLOPS_UI_TESTS_HOME/server.log" 2>&1',
    url: `${baseURL}/api`,
    timeout: 180_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 10_000 }
  }
});
