/** JupyterLab with a notebook in front, and what tests do to it over and over. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs';
import { join } from 'node:path';
import {
  galata,
  test as base,
  type IJupyterLabPageFixture
} from '@jupyterlab/galata';
import { expect, type Locator } from '@playwright/test';

export { expect };

const ROOT = join(process.env.MLOPS_UI_TESTS_HOME ?? '', 'root');

export type Fixture = 'quick' | 'failing' | 'shared' | 'slow' | 'untagged';

/** What is said of a sweep or a run on the wire; the parts that tests look at. */
export interface IRecord {
  id: string;
  name: string;
  path: string;
  state: string;
  total: number;
  counts: Record<string, number>;
  [key: string]: unknown;
}

export class Lab {
  constructor(
    readonly page: IJupyterLabPageFixture,
    /** Of this test, below the server's root. */
    readonly folder: string,
    readonly baseURL: string
  ) {}

  /** Copy a notebook into this test's folder. */
  write(name: string, fixture: Fixture): string {
    const source = join(__dirname, '..', 'notebooks', `${fixture}.ipynb`);
    writeFileSync(join(ROOT, this.folder, name), readFileSync(source));
    return `${this.folder}/${name}`;
  }

  /** Keep runs of `quick` behind the first from ending until the function that this returns is called. */
  hold(): () => void {
    const file = join(ROOT, this.folder, 'held');
    writeFileSync(file, '');
    return () => rmSync(file);
  }

  /** The notebook as its file has it. */
  read(name: string): { cells: any[]; metadata: Record<string, any> } {
    return JSON.parse(readFileSync(join(ROOT, this.folder, name), 'utf8'));
  }

  /** Load JupyterLab with a notebook in front and the panel beside it. */
  async open(name: string, fixture: Fixture): Promise<void> {
    if (!existsSync(join(ROOT, this.folder, name))) {
      this.write(name, fixture);
    }
    await this.page.goto(`tree/${this.folder}/${name}?reset`);
    await this.showPanel();
  }

  /** Load JupyterLab with the panel alone. */
  async load(): Promise<void> {
    await this.page.goto('?reset');
    await this.showPanel();
  }

  /** Open a sweep from the panel's list. */
  async openSweep(name: string): Promise<void> {
    await this.listed(name)
      .getByRole('button', { name: new RegExp(`^${name}`) })
      .click();
    await expect(this.sweepPage).toBeVisible();
  }

  /** The sweep in front. */
  get sweepPage(): Locator {
    return this.page
      .getByRole('main')
      .locator('[data-sweep-id]')
      .filter({ visible: true });
  }

  /** Rows of runs in front, without the headers. */
  get rows(): Locator {
    return this.sweepPage
      .getByRole('grid')
      .getByRole('row')
      .filter({ has: this.page.getByRole('gridcell') });
  }

  /** The row of a run, by its number. */
  row(number: number): Locator {
    return this.rows.filter({
      has: this.page.getByRole('button', {
        name: `Open the notebook of run ${number}`,
        exact: true
      })
    });
  }

  async showPanel(): Promise<void> {
    if (!(await this.panel.isVisible())) {
      await this.page.getByRole('tab', { name: 'MLOps' }).click();
    }
    await expect(this.panel).toBeVisible();
  }

  /** Execute a command of JupyterLab, where how one gets to it is not what is tested. */
  async command(id: string, args: Record<string, string> = {}): Promise<void> {
    await this.page.evaluate(
      async ([id, args]) => {
        await window.jupyterapp.commands.execute(id, args);
      },
      [id, args] as const
    );
  }

  get panel(): Locator {
    return this.page.getByRole('region', { name: 'MLOps', exact: true });
  }

  get form(): Locator {
    return this.panel.getByRole('form');
  }

  field(name: string): Locator {
    return this.form.getByRole('textbox', { name, exact: true });
  }

  get run(): Locator {
    return this.form.getByRole('button', { name: /^(Run|Starting)/ });
  }

  /** Fill in fields, and wait until the server has counted them. */
  async fill(space: Record<string, string>, runs: number): Promise<void> {
    for (const [name, text] of Object.entries(space)) {
      await this.field(name).fill(text);
    }
    await expect(this.run).toHaveText(`Run ${runs.toLocaleString('en-GB')}`);
    await expect(this.run).toBeEnabled();
  }

  /** A sweep in the panel's list, by the notebook it is named after or by its name. */
  listed(name: string): Locator {
    return this.panel
      .getByRole('list', { name: /Sweeps|Archived|Deleted/ })
      .getByRole('listitem')
      .filter({ hasText: name });
  }

  async api<T = unknown>(
    path: string,
    method = 'GET',
    data?: unknown
  ): Promise<T> {
    const response = await this.page.request.fetch(`${this.baseURL}/${path}`, {
      method,
      ...(data !== undefined && { data })
    });
    expect(response.ok(), `${method} ${path}: ${response.status()}`).toBe(true);
    const text = await response.text();
    return (text ? JSON.parse(text) : undefined) as T;
  }

  /** Sweeps of this test's notebooks, newest first. */
  async sweeps(): Promise<IRecord[]> {
    const { sweeps } = await this.api<{ sweeps: IRecord[] }>(
      'mlops/changes?since=0'
    );
    return sweeps
      .filter(({ path }) => path.startsWith(`${this.folder}/`))
      .sort((a, b) => (String(a.created_at) < String(b.created_at) ? 1 : -1));
  }

  /** Start a sweep without the browser, where starting is not what is tested. */
  start(
    name: string,
    space: Record<string, string>,
    more: object = {}
  ): Promise<IRecord> {
    return this.api('mlops/sweeps', 'POST', {
      path: `${this.folder}/${name}`,
      space,
      ...more
    });
  }

  /** Wait until a sweep is in one of these states. */
  async reaches(id: string, ...states: string[]): Promise<IRecord> {
    let sweep: IRecord | undefined;
    await expect
      .poll(
        async () => {
          sweep = await this.api<IRecord>(`mlops/sweeps/${id}`);
          return sweep.state;
        },
        { intervals: [200] }
      )
      .toMatch(new RegExp(`^(${states.join('|')})$`));
    return sweep as IRecord;
  }

  /** Kernels that JupyterLab itself runs; those of sweeps are none of them. */
  kernels(): Promise<{ id: string }[]> {
    return this.api('api/kernels');
  }
}

export const test = base.extend<{ lab: Lab }>({
  autoGoto: false,
  mockSettings: {
    ...galata.DEFAULT_SETTINGS,
    // Galata's default silences notifications
    '@jupyterlab/apputils-extension:notification': {
      checkForUpdates: false,
      fetchNews: 'false',
      doNotDisturbMode: false
    }
  },
  // Galata looks for these at the root of the host, where no server is under a base URL
  kernels: async ({}, use) => use(null),
  sessions: async ({}, use) => use(null),
  terminals: async ({}, use) => use(null),
  tmpPath: async ({}, use, info) => {
    const folder = info.titlePath
      .join(' ')
      .replace(/\W+/g, '-')
      .toLowerCase()
      .slice(0, 60);
    mkdirSync(join(ROOT, folder), { recursive: true });
    await use(folder);
    rmSync(join(ROOT, folder), { recursive: true, force: true });
  },
  waitForApplication: async ({}, use) =>
    use(async page => {
      await page.locator('#jupyterlab-splash').waitFor({ state: 'detached' });
    }),
  lab: async ({ page, tmpPath, baseURL }, use) => {
    const lab = new Lab(page, tmpPath, baseURL ?? '');
    await use(lab);
    // what a test left running takes time from the next
    for (const { id, state } of await lab.sweeps()) {
      if (!['succeeded', 'failed', 'stopped'].includes(state)) {
        await lab.api(`mlops/sweeps/${id}/stop`, 'POST');
      }
    }
    for (const { id } of await lab.kernels()) {
      await lab.api(`api/kernels/${id}`, 'DELETE');
    }
  }
});
