import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../api/request';
import type { NotebookInfo, TargetInfo } from '../../api/schema';
import {
  allByRole,
  byRole,
  descriptionOf,
  pick,
  press,
  render,
  text,
  type
} from '../../testing/render';
import {
  FakeServer,
  infoOf,
  parameterOf,
  prefixOf,
  statusOf
} from '../../testing/server';
import { NotebookForm } from '../notebookFormState';
import { NotebookFormView, type INotebookFormProps } from './notebookForm';

const PATH = 'flights/train.ipynb';
const trans = nullTranslator.load('jupyter_mlops');

describe('NotebookFormView', () => {
  let server: FakeServer;
  let form: NotebookForm;
  let props: Omit<INotebookFormProps, 'form'>;

  const onRun = vi.fn();
  const onTag = vi.fn();
  const onKeep = vi.fn();

  async function show(
    info: Partial<NotebookInfo> = {},
    change: Partial<INotebookFormProps> = {}
  ): Promise<void> {
    server.notebooks.set(
      PATH,
      infoOf(PATH, {
        parameters: [
          parameterOf('max_depth', { help: 'deeper trees fit more' }),
          parameterOf('loss', {
            type: 'choice',
            default: 'hinge',
            default_text: "'hinge'",
            choices: ['hinge', 'huber']
          })
        ],
        ...info
      })
    );
    props = {
      targets: statusOf().targets,
      starting: false,
      unsaved: false,
      trans,
      onRun,
      onTag,
      onKeep,
      ...change
    };
    const shown = render(() => <NotebookFormView form={form} {...props} />);
    form.changed.connect(shown.draw);
    await form.load();
  }

  const depth = () => byRole('textbox', 'max_depth');
  const run = () => byRole('button', /^Run/) as Promise<HTMLButtonElement>;

  beforeEach(() => {
    server = new FakeServer();
    form = new NotebookForm({ client: server.client, path: PATH, delay: 5 });
    vi.clearAllMocks();
  });

  afterEach(() => form.dispose());

  it('waits for the notebook with a word', async () => {
    server.hold = () => true;
    void show();
    await text('Reading the notebook…');
  });

  it('says why a notebook cannot be read', async () => {
    server.refuse = () => ({
      status: 400,
      body: { message: 'broken.ipynb is not a notebook.' }
    });
    await show();
    expect((await byRole('alert')).textContent).toBe(
      'broken.ipynb is not a notebook.'
    );
    expect(allByRole('button')).toHaveLength(0);
  });

  it('offers to tag a cell where none is tagged', async () => {
    await show({
      parameters: [],
      parameters_cell: null,
      problem: 'No cell is tagged.'
    });
    await text('No cell holds the parameters yet.');
    (await byRole('button', 'Tag this cell')).click();
    expect(onTag).toHaveBeenCalledOnce();
    expect(allByRole('button', /^Run/)).toHaveLength(0);
  });

  it('says what is wrong with the parameters cell', async () => {
    await show({
      parameters: [],
      problem: 'The parameters cell does not parse: line 2.'
    });
    expect((await byRole('alert')).textContent).toBe(
      'The parameters cell does not parse: line 2.'
    );
    expect(allByRole('button', /^Run/)).toHaveLength(0);
  });

  it('shows each parameter with type, default and help', async () => {
    await show();
    const input = (await depth()) as HTMLInputElement;
    expect(input.placeholder).toBe('6');
    expect(descriptionOf(input)).toBe('deeper trees fit more');
    await text(/max_depth\s*int/);
  });

  it('counts the runs while one types', async () => {
    await show();
    expect((await run()).textContent).toBe('Run 1');
    type(await depth(), '1,5,20');
    await text('Run 3');
    await text('3 runs');
    expect(document.querySelector('[aria-label="3 values"]')).not.toBeNull();
    expect((await run()).disabled).toBe(false);
  });

  it('says about how long it takes, by the last sweep and the slots', async () => {
    await show({ run_seconds: 20 });
    type(await depth(), '1,5,20');
    await text('3 runs · about 30 s');
  });

  it('refuses nonsense beside the field, and says why Run is off', async () => {
    await show();
    type(await depth(), 'nonsense');
    await text('max_depth is not a number.');
    const input = await depth();
    expect(input.getAttribute('aria-invalid')).toBe('true');
    expect(descriptionOf(input)).toContain('max_depth is not a number.');
    expect((await run()).disabled).toBe(true);
    expect(descriptionOf(await run())).toBe('Mend “max_depth” first.');
    type(input, '6');
    await vi.waitFor(async () => expect((await run()).disabled).toBe(false));
    expect(input.getAttribute('aria-invalid')).toBe('false');
  });

  it('keeps what is typed when a late answer draws it again', async () => {
    await show();
    const input = (await depth()) as HTMLInputElement;
    server.hold = ({ path }) => path === 'space';
    type(input, '1,2');
    await vi.waitFor(() => expect(server.waiting).toBe(1));
    type(input, '1,2,3');
    server.release();
    await vi.waitFor(() => expect(server.waiting).toBe(1));
    server.release();
    await text('Run 3');
    expect(input.value).toBe('1,2,3');
    expect(document.body.contains(input)).toBe(true);
  });

  describe('Run', () => {
    it('runs on Enter in a field', async () => {
      await show();
      const input = (await depth()) as HTMLInputElement;
      await vi.waitFor(async () => expect((await run()).disabled).toBe(false));
      input.form?.requestSubmit();
      expect(onRun).toHaveBeenCalledOnce();
    });

    it('does nothing on Enter while something is wrong', async () => {
      await show();
      type(await depth(), 'nonsense');
      await text('Mend “max_depth” first.');
      ((await depth()) as HTMLInputElement).form?.requestSubmit();
      expect(onRun).not.toHaveBeenCalled();
    });

    it('is off without the kernel, with its sentence', async () => {
      await show({
        kernel_problem: 'No kernel named julia-1.11 is installed.'
      });
      await text('No kernel named julia-1.11 is installed.');
      expect((await run()).disabled).toBe(true);
      expect(descriptionOf(await run())).toBe(
        'No kernel named julia-1.11 is installed.'
      );
    });

    it('is off for a space that is too large, with the number', async () => {
      server.check = () => ({
        total: 0,
        combinations: 1_000_000,
        fields: {},
        error: 'That makes 1,000,000 runs: narrow it or take some at random.',
        prefix: prefixOf()
      });
      await show();
      await text('That makes 1,000,000 runs');
      expect((await run()).disabled).toBe(true);
    });

    it('is off on a target that is off, which says why', async () => {
      await show();
      form.update({ target: 'cuda' });
      await vi.waitFor(async () =>
        expect(descriptionOf(await run())).toBe(
          'No NVIDIA device is seen here.'
        )
      );
    });

    it('says how many of how many where some are drawn at random', async () => {
      server.check = ({ sampler }) => ({
        total: sampler.kind === 'random' ? 20 : 1000,
        combinations: 1000,
        fields: {},
        error: '',
        prefix: prefixOf()
      });
      await show();
      await text('Run 1,000');
      pick(await byRole('combobox', 'Try'), 'random');
      await text('Run 20');
      await text('of 1,000 combinations');
      const many = await byRole('spinbutton', 'How many at random');
      expect((many as HTMLInputElement).value).toBe('20');
    });

    it('shows that it starts, and cannot be pressed twice', async () => {
      await show({}, { starting: true });
      const button = (await byRole('button', 'Starting…')) as HTMLButtonElement;
      expect(button.disabled).toBe(true);
    });

    it('tells what was refused at the start', async () => {
      await show();
      form.refuse(new Error('MLflow at http://elsewhere does not answer.'));
      await vi.waitFor(async () =>
        expect((await byRole('alert')).textContent).toBe(
          'MLflow at http://elsewhere does not answer.'
        )
      );
    });

    it('says that edits are saved', async () => {
      await show({}, { unsaved: true });
      await text('Unsaved edits are saved when it starts.');
    });
  });

  describe('choices', () => {
    it('are buttons that stay pressed', async () => {
      await show();
      const chip = (name: string) =>
        byRole('button', name) as Promise<HTMLButtonElement>;
      expect((await chip('hinge')).className).toContain('jp-mod-default');
      (await chip('huber')).click();
      await vi.waitFor(async () =>
        expect((await chip('huber')).getAttribute('aria-pressed')).toBe('true')
      );
      (await chip('hinge')).click();
      await text('Run 2');
      expect(form.request.space).toEqual({ loss: 'hinge,huber' });
      (await chip('huber')).click();
      await vi.waitFor(() =>
        expect(form.request.space).toEqual({ loss: 'hinge' })
      );
    });

    it('become a text where something else stands there', async () => {
      await show();
      form.setField('loss', 'squared');
      const input = (await byRole('textbox', 'loss')) as HTMLInputElement;
      expect(input.value).toBe('squared');
    });
  });

  describe('what to try', () => {
    it('is a menu that fills in the field', async () => {
      await show();
      (await byRole('button', 'What to try for “max_depth”')).click();
      await vi.waitFor(() =>
        expect(
          allByRole('menuitemcheckbox').map(item => [
            item.textContent?.trim(),
            item.getAttribute('aria-checked')
          ])
        ).toEqual([
          ['Default', 'true'],
          ['One value', 'false'],
          ['List', 'false'],
          ['Range', 'false'],
          ['Logarithmic range', 'false']
        ])
      );
      const menu = document.querySelector<HTMLElement>('.jp-MlopsKinds')!;
      for (let item = 0; item < 4; item++) {
        press(menu, 'ArrowDown', 40);
      }
      press(menu, 'Enter', 13);
      const input = (await depth()) as HTMLInputElement;
      await vi.waitFor(() => expect(input.value).toBe('3:9'));
      expect(form.request.space).toEqual({ max_depth: '3:9' });
      await vi.waitFor(() => expect(document.activeElement).toBe(input));
      expect(document.querySelector('.jp-MlopsKinds')).toBeNull();
    });
  });

  it('leaves the caret where it is typed at, whatever the text is made into', async () => {
    await show();
    const advanced = await byRole('button', /Advanced|More/);
    advanced.click();
    const input = (await byRole('textbox', 'Also read')) as HTMLInputElement;
    input.focus();
    type(input, 'loss');
    input.setSelectionRange(2, 2);
    type(input, 'lo,ss');
    await vi.waitFor(() => expect(form.request.metrics).toEqual(['lo', 'ss']));
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(input.value).toBe('lo,ss');
    input.blur();
    await vi.waitFor(() => expect(input.value).toBe('lo, ss'));
  });

  describe('names that are not declared', () => {
    it('are added where the language cannot be read', async () => {
      await show({ parameters: [], open_names: true, language: 'r' });
      const name = await byRole('textbox', 'Name of a parameter to add');
      type(name, 'n_trees');
      await vi.waitFor(() =>
        expect(allByRole('button', 'Add')).toHaveLength(1)
      );
      press(name, 'Enter');
      const field = await byRole('textbox', 'n_trees');
      type(field, '1,2');
      await text('Run 2');
      (await byRole('button', 'Remove “n_trees”')).click();
      await vi.waitFor(() =>
        expect(allByRole('textbox', 'n_trees')).toHaveLength(0)
      );
      expect(form.request.space).toEqual({});
    });

    it('are refused with a sentence where they are no names', async () => {
      await show({ parameters: [], open_names: true, language: 'r' });
      const name = await byRole('textbox', 'Name of a parameter to add');
      type(name, '2nd tree');
      await vi.waitFor(() =>
        expect(allByRole('button', 'Add')).toHaveLength(1)
      );
      press(name, 'Enter');
      await vi.waitFor(() => expect(allByRole('alert')).toHaveLength(1));
      expect(descriptionOf(name)).toContain('does not begin with a digit');
      type(name, 'tree');
      await vi.waitFor(() => expect(allByRole('alert')).toHaveLength(0));
    });

    it('cannot be added where the notebook declares its own', async () => {
      await show();
      await depth();
      expect(allByRole('textbox', 'Name of a parameter to add')).toEqual([]);
    });
  });

  describe('metric, target and the rest', () => {
    it('suggest metrics seen before and take their direction', async () => {
      await show({ metrics: ['auc', 'loss'] });
      const options = [...document.querySelectorAll('datalist option')];
      expect(
        options.map(option => (option as HTMLOptionElement).value)
      ).toEqual(['auc', 'loss']);
      const direction = (await byRole(
        'combobox',
        'Direction'
      )) as HTMLSelectElement;
      expect(direction.disabled).toBe(true);
      type(await byRole('textbox', 'Metric'), 'auc');
      await vi.waitFor(() => expect(direction.disabled).toBe(false));
      pick(direction, 'minimize');
      expect(form.request.objective).toEqual({
        metric: 'auc',
        direction: 'minimize'
      });
      type(await byRole('textbox', 'Metric'), '');
      expect(form.request.objective).toBeNull();
    });

    it('offer an address of one’s own', async () => {
      await show();
      pick(await byRole('combobox', 'Target'), 'tcp://');
      const address = await byRole('textbox', 'Address');
      type(address, 'tcp://gpu:8786');
      expect(form.request.target).toBe('tcp://gpu:8786');
      type(await byRole('textbox', 'Address'), '');
      await text('Give the scheduler’s address');
    });

    it('know targets that are off', async () => {
      await show();
      const target = (await byRole('combobox', 'Target')) as HTMLSelectElement;
      expect(
        [...target.options].map(({ label, disabled }) => [label, disabled])
      ).toEqual([
        ['local · 2 slots', false],
        ['cuda · off', true],
        ['Dask scheduler…', false]
      ]);
    });

    it('have numbers and limits behind a disclosure', async () => {
      await show();
      const more = await byRole('button', 'Advanced');
      expect(more.getAttribute('aria-expanded')).toBe('false');
      more.click();
      type(await byRole('spinbutton', 'Slots'), '1');
      type(await byRole('spinbutton', 'Run limit (s)'), '60');
      type(await byRole('textbox', 'Also read'), 'loss, seconds,');
      expect(form.request).toMatchObject({
        slots: 1,
        run_timeout: 60,
        metrics: ['loss', 'seconds']
      });
      type(await byRole('spinbutton', 'Slots'), '');
      expect(form.request.slots).toBeNull();
    });
  });

  describe('sharing the first cells', () => {
    const box = () =>
      byRole('checkbox', /once per slot$/) as Promise<HTMLInputElement>;
    const cells = ['import pandas as pd', 'data = pd.read_csv("flights.csv")'];
    const reason = 'Cell 5 uses max_depth.';

    function shares(change = {}): void {
      const usual = server.check;
      server.check = request => ({
        ...usual(request),
        prefix: prefixOf({ end: 4, cells, reason, ...change })
      });
    }

    it('is offered where cells stand above what varies', async () => {
      shares();
      await show();
      await text('Run 1');
      expect(allByRole('checkbox')).toHaveLength(0);
      type(await depth(), '1,5,20');
      expect((await box()).checked).toBe(false);
      expect(
        await byRole('checkbox', 'Run the first 2 code cells once per slot')
      ).toBe(await box());
      expect(descriptionOf(await box())).toContain(
        'They use nothing that varies.'
      );
      expect(allByRole('list')).toHaveLength(0);
    });

    it('shows which cells, and why no more, once it is ticked', async () => {
      shares();
      await show();
      type(await depth(), '1,5,20');
      (await box()).click();
      const list = await byRole('list', 'Code cells that run once per slot');
      expect([...list.children].map(line => line.textContent)).toEqual(cells);
      await text(reason);
      expect(form.request.shared_prefix).toBe(true);
      (await box()).click();
      await vi.waitFor(() => expect(allByRole('list')).toHaveLength(0));
      expect(form.request.shared_prefix).toBe(false);
    });

    it('is not offered where there are none', async () => {
      shares({ end: 0, cells: [] });
      await show();
      type(await depth(), '1,5,20');
      await text('Run 3');
      expect(allByRole('checkbox')).toHaveLength(0);
    });

    it('is off, with the reason, where it was ticked and there are none now', async () => {
      shares({ end: 0, cells: [], reason: 'The first cell uses max_depth.' });
      await show();
      form.update({ shared_prefix: true });
      type(await depth(), '1,5,20');
      await text('The first cell uses max_depth.');
      expect((await box()).disabled).toBe(true);
      expect((await box()).checked).toBe(false);
      expect((await run()).disabled).toBe(false);
      type(await depth(), '1');
      await text('One run alone shares nothing.');
    });

    it('stays in sight while a field makes no sense', async () => {
      shares();
      await show();
      type(await depth(), '1,5,20');
      (await box()).click();
      await byRole('list', 'Code cells that run once per slot');
      server.check = () => ({
        total: 0,
        combinations: 0,
        fields: {
          max_depth: { count: 0, preview: '', error: 'Not a number.' }
        },
        error: 'Mend max_depth first.',
        prefix: prefixOf()
      });
      type(await depth(), 'nonsense');
      await text('Not a number.');
      expect((await box()).checked).toBe(true);
    });

    it('has beside it what the server says of it', async () => {
      shares();
      await show();
      type(await depth(), '1,5,20');
      (await box()).click();
      const sentence = 'The cells to share have changed.';
      const whole = `This sweep cannot share cells. ${sentence}`;
      form.refuse(new ApiError(whole, 400, { shared_prefix: sentence }));
      await vi.waitFor(async () =>
        expect(descriptionOf(await box())).toContain(sentence)
      );
      // and by the button, which may be all that is in sight
      expect(allByRole('alert').map(alert => alert.textContent)).toEqual([
        sentence,
        whole
      ]);
      (await box()).click();
      await vi.waitFor(() => expect(allByRole('alert')).toHaveLength(0));
    });
  });

  describe('keeping the form with the notebook', () => {
    it('is offered once there is something to keep', async () => {
      await show();
      const keep = (await byRole(
        'button',
        'Save with notebook'
      )) as HTMLButtonElement;
      expect(keep.disabled).toBe(true);
      type(await depth(), '1,2');
      await vi.waitFor(() => expect(keep.disabled).toBe(false));
      keep.click();
      expect(onKeep).toHaveBeenCalledWith(true);
    });

    it('is shown as done, and can be undone', async () => {
      await show({
        saved: { ...form.request, space: { max_depth: '1,2' } }
      });
      await text('✓ Saved with the notebook');
      (await byRole('button', 'Remove from it')).click();
      expect(onKeep).toHaveBeenCalledWith(false);
      type(await depth(), '1,2,3');
      await byRole('button', 'Save with notebook');
    });
  });

  it('takes a scheduler that is known already', async () => {
    const scheduler: TargetInfo = {
      name: 'tcp://gpu:8786',
      kind: 'scheduler',
      state: 'ready',
      slots: 8,
      busy: 0,
      message: ''
    };
    await show({}, { targets: [...statusOf().targets, scheduler] });
    pick(await byRole('combobox', 'Target'), scheduler.name);
    expect(form.request.target).toBe(scheduler.name);
    expect(allByRole('textbox', 'Address')).toHaveLength(0);
  });
});
