import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ScheduleRequest } from '../../api/schema';
import { pipelineOf } from '../../testing/records';
import {
  allByRole,
  byRole,
  descriptionOf,
  pick,
  render,
  text,
  type
} from '../../testing/render';
import { FakeServer } from '../../testing/server';
import { valueOf } from '../parameterFields';
import {
  newSchedule,
  ScheduleForm,
  type IScheduleFormProps
} from './scheduleForm';

const trans = nullTranslator.load('jupyter_mlops');

describe('ScheduleForm', () => {
  let server: FakeServer;
  let value: ScheduleRequest | null;

  function show(props: Partial<IScheduleFormProps> = {}) {
    const shown = render(() => (
      <ScheduleForm
        value={value}
        errors={{}}
        client={server.client}
        pipelines={[]}
        parameters={null}
        trans={trans}
        onChange={next => {
          value = next;
          shown.draw();
        }}
        {...props}
      />
    ));
    return shown;
  }

  /** Choose, and wait until it is drawn so. */
  async function choose(name: string, option: string): Promise<void> {
    pick(await byRole('combobox', name), option);
    await drawn();
  }

  async function fill(role: string, name: string, typed: string) {
    const input = (await byRole(role, name)) as HTMLInputElement;
    type(input, typed);
    await drawn();
    return input;
  }

  const drawn = () => new Promise(resolve => setTimeout(resolve, 20));

  beforeEach(() => {
    server = new FakeServer();
    value = { ...newSchedule(), zone: 'Europe/Berlin' };
  });

  it('says in words when it fires, and the next five times', async () => {
    show();
    await text('at 0 6 * * * in Europe/Berlin');
    const times = document.querySelector('ol');
    expect(times?.querySelectorAll('time')).toHaveLength(5);
    expect(times?.textContent).toMatch(/6:00/);
  });

  it('asks once for what was typed in one go', async () => {
    show();
    await text('at 0 6');
    const before = server.askedFor('cron', 'POST').length;
    const time = document.querySelector<HTMLInputElement>('input[type=time]')!;
    type(time, '07:00');
    type(time, '07:30');
    await text('at 30 7 * * * in');
    expect(server.askedFor('cron', 'POST')).toHaveLength(before + 1);
    expect(value?.cron).toBe('30 7 * * *');
  });

  it('has presets for days of the week and of the month', async () => {
    show();
    const when = await byRole('combobox', 'When');
    pick(when, 'week');
    pick(await byRole('combobox', 'On'), '0');
    await vi.waitFor(() => expect(value?.cron).toBe('0 6 * * 0'));
    pick(when, 'month');
    await vi.waitFor(() => expect(value?.cron).toBe('0 6 1 * *'));
    pick(when, 'hour');
    await vi.waitFor(() => expect(value?.cron).toBe('0 * * * *'));
    type(await byRole('spinbutton', 'Minutes past'), '75');
    expect(value?.cron).toBe('0 * * * *');
  });

  it('takes a cron line, and says beside it what is wrong', async () => {
    show();
    pick(await byRole('combobox', 'When'), 'custom');
    const line = await byRole('textbox', 'Cron line');
    // it begins with what the preset was
    expect((line as HTMLInputElement).value).toBe('0 6 * * *');
    type(line, '0 6 * * * *');
    await vi.waitFor(() =>
      expect(descriptionOf(line)).toBe('Five fields are needed.')
    );
    expect(line.getAttribute('aria-invalid')).toBe('true');
    type(line, '0 7 * * *');
    await text('at 0 7 * * *');
    expect(line.getAttribute('aria-invalid')).toBe('false');
  });

  it('finds zones by a part of their name', async () => {
    show();
    const zone = (await byRole('textbox', 'Time zone')) as HTMLInputElement;
    const offered = [...(zone.list?.options ?? [])].map(({ value: v }) => v);
    expect(offered).toContain('UTC');
    expect(offered).toContain('Asia/Tokyo');
    type(zone, 'Asia/Tokyo');
    await text('in Asia/Tokyo');
  });

  it('keeps what was said while a person looks at “by hand”', async () => {
    show({ byHand: 'only by hand' });
    const when = await byRole('combobox', 'When');
    pick(when, 'hand');
    expect(value).toBeNull();
    await vi.waitFor(() =>
      expect(document.querySelector('input[type=time]')).toBeNull()
    );
    pick(when, 'day');
    expect(value).toMatchObject({ cron: '0 6 * * *', zone: 'Europe/Berlin' });
  });

  it('offers another pipeline only where there is one', async () => {
    show();
    const options = () =>
      [
        ...document.querySelectorAll<HTMLOptionElement>(
          '.jp-MlopsAsk select option'
        )
      ].map(option => option.value);
    await byRole('combobox', 'When');
    expect(options()).not.toContain('pipeline');
    expect(options()).not.toContain('hand');
  });

  it('fires after another pipeline', async () => {
    show({ pipelines: [pipelineOf('up', { name: 'collect' })] });
    await choose('When', 'pipeline');
    await choose('After', 'up');
    await choose('If it', 'failed');
    expect(value).toMatchObject({
      kind: 'pipeline',
      upstream: 'up',
      on: 'failed'
    });
  });

  it('fires on new files, and shows what was refused', async () => {
    show({ errors: { pattern: 'No such place.' } });
    pick(await byRole('combobox', 'When'), 'files');
    const pattern = await byRole('textbox', 'Files');
    type(pattern, 's3://in/*.csv');
    expect(value).toMatchObject({ kind: 'files', pattern: 's3://in/*.csv' });
    expect(descriptionOf(pattern)).toBe('No such place.');
  });

  it('keeps the kind of a trigger that is there', async () => {
    value = { ...newSchedule(), kind: 'files', pattern: '*.csv' };
    show({ fixed: true });
    const when = (await byRole('combobox', 'When')) as HTMLSelectElement;
    expect([...when.options].map(option => option.value)).toEqual(['files']);
  });

  it('has policies and parameters of its own', async () => {
    show({ policies: true, parameters: { month: 1, region: 'EWR' } });
    await choose('While it still runs', 'skip');
    await choose('Times missed', 'all');
    await fill('spinbutton', 'Within hours', '2');
    const month = await fill('textbox', 'month', '12');
    expect(month.placeholder).toBe('1');
    await fill('textbox', 'region', '7');
    expect(value).toMatchObject({
      overlap: 'skip',
      missed: 'all',
      grace: 7200,
      parameters: { month: 12, region: '7' }
    });
    type(month, '');
    await vi.waitFor(() => expect(value?.parameters).toEqual({ region: '7' }));
    pick(await byRole('combobox', 'Times missed'), 'skip');
    await vi.waitFor(() =>
      expect(allByRole('spinbutton', 'Within hours')).toHaveLength(0)
    );
  });

  it.each<[string, unknown, unknown]>([
    ['1', 2, 1],
    ['1', 'text', '1'],
    ['True', false, true],
    ['None', 1, null],
    ['[1, 2]', [], [1, 2]],
    ['EWR', undefined, 'EWR']
  ])('reads %s where the value is %j as %j', (typed, like, wanted) => {
    expect(valueOf(typed, like)).toEqual(wanted);
  });
});
