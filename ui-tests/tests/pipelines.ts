/** What tests do to pipelines over and over. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator } from '@playwright/test';
import { expect, Lab, test as base } from './fixtures';

export { expect };

/** What is said of a run and its steps on the wire; the parts that tests look at. */
export interface IPipelineRun {
  run: { id: string; number: number; state: string; version: number };
  steps: {
    step: string;
    state: string;
    attempt: number;
    sweeps: string[];
    outputs: Record<string, unknown>;
  }[];
}

interface IPipeline {
  id: string;
  name: string;
  path: string;
  deleted_at: string | null;
  recent: { id: string; state: string }[];
}

export class Pipelines {
  constructor(readonly lab: Lab) {}

  /** Write a notebook whose first cell holds the parameters. */
  notebook(name: string, ...cells: string[]): void {
    this.file(
      name,
      JSON.stringify({
        cells: cells.map((source, index) => ({
          cell_type: 'code',
          id: `cell-${index}`,
          metadata: index === 0 ? { tags: ['parameters'] } : {},
          source,
          execution_count: null,
          outputs: []
        })),
        metadata: {
          kernelspec: {
            display_name: 'Python 3',
            language: 'python',
            name: 'python3'
          },
          language_info: { name: 'python' }
        },
        nbformat: 4,
        nbformat_minor: 5
      })
    );
  }

  /** Write a file into this test's folder. */
  file(name: string, text: string): void {
    writeFileSync(this._place(name), text);
  }

  remove(name: string): void {
    rmSync(this._place(name));
  }

  /** Promote a file without the browser, where promoting is not what is tested. */
  async promote(name: string, more: object = {}): Promise<IPipeline> {
    const { pipeline } = await this.lab.api<{ pipeline: IPipeline }>(
      'mlops/pipelines',
      'POST',
      { path: `${this.lab.folder}/${name}`, ...more }
    );
    return pipeline;
  }

  /** Pipelines of this test's files. */
  async all(): Promise<IPipeline[]> {
    const { pipelines } = await this.lab.api<{ pipelines: IPipeline[] }>(
      'mlops/changes?since=0'
    );
    return pipelines.filter(({ path }) =>
      path.startsWith(`${this.lab.folder}/`)
    );
  }

  /** A run of a pipeline with its steps, by its number. */
  async run(pipelineId: string, number: number): Promise<IPipelineRun> {
    const { runs } = await this.lab.api<{ runs: IPipelineRun['run'][] }>(
      `mlops/pipelines/${pipelineId}/runs?since=0`
    );
    const found = runs.find(run => run.number === number);
    return this.lab.api(`mlops/pipeline-runs/${found?.id}`);
  }

  /** In the panel's list. */
  listed(name: string): Locator {
    return this.lab.panel
      .getByRole('list', { name: 'Pipelines' })
      .getByRole('listitem')
      .filter({ hasText: name });
  }

  /** Open a pipeline from the panel's list. */
  async open(name: string): Promise<void> {
    await this.listed(name)
      .getByRole('button', { name: new RegExp(`^${name}`) })
      .click();
    await expect(this.page).toBeVisible();
  }

  /** The pipeline in front. */
  get page(): Locator {
    return this.lab.page
      .getByRole('main')
      .locator('[data-pipeline-id]')
      .filter({ visible: true });
  }

  /** The strip of past runs in front. */
  get past(): Locator {
    return this.page.getByRole('listbox', { name: 'Past runs' });
  }

  /** A past run in front. */
  pastRun(number: number, state: string): Locator {
    return this.past.getByRole('option', {
      name: new RegExp(`^Run ${number}, ${state}`)
    });
  }

  /** Graphs in front. */
  get graph(): Locator {
    return this.lab.page
      .getByRole('main')
      .getByRole('listbox', { name: 'Steps' })
      .filter({ visible: true });
  }

  /** A step in the graph in front. */
  step(name: string): Locator {
    return this.graph.getByRole('option', { name: new RegExp(`^${name},`) });
  }

  get dialog(): Locator {
    return this.lab.page.getByRole('dialog');
  }

  /** A part of the pipeline in front. */
  async tab(name: string): Promise<void> {
    await this.page.getByRole('tab', { name, exact: true }).click();
  }

  private _place(name: string): string {
    const home = process.env.MLOPS_UI_TESTS_HOME ?? '';
    return join(home, 'root', this.lab.folder, name);
  }
}

export const test = base.extend<{ pipelines: Pipelines }>({
  pipelines: async ({ lab }, use) => {
    const pipelines = new Pipelines(lab);
    await use(pipelines);
    // what a test left firing takes time from the next
    for (const { id, recent } of await pipelines.all()) {
      await lab.api(`mlops/pipelines/${id}`, 'DELETE');
      for (const run of recent) {
        if (['queued', 'running'].includes(run.state)) {
          await lab.api(`mlops/pipeline-runs/${run.id}/stop`, 'POST');
        }
      }
    }
  }
});
