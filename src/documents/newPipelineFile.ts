/** A new pipeline file: two steps with notebooks of their own, which run as they are. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { CommandIDs } from '../model/commandIds';
import { PIPELINE_SUFFIX } from '../model/paths';
import { argsSchema, textArg } from '../ui/commandArguments';
import { pipelineIcon } from '../ui/icons';
import { notifying } from '../ui/notifyErrors';

/** Adds the command that writes one into a folder, by default the one that the file browser shows, and opens it. */
export function addNewFileCommand(
  app: JupyterFrontEnd,
  browser: IDefaultFileBrowser | null,
  trans: TranslationBundle
): void {
  app.commands.addCommand(CommandIDs.newPipelineFile, {
    label: args =>
      args['inMenu'] ? trans.__('Pipeline') : trans.__('New Pipeline File'),
    caption: trans.__('Create a pipeline of two notebooks to begin with'),
    icon: args => (args['inMenu'] ? undefined : pipelineIcon),
    describedBy: { args: argsSchema({ cwd: 'string', inMenu: 'boolean' }) },
    execute: args =>
      notifying(async () => {
        const folder = textArg(args, 'cwd') || (browser?.model.path ?? '');
        const path = await create(app, folder, trans);
        await app.commands.execute('docmanager:open', { path });
      })
  });
}

/** Writes the file and its notebooks under names that are free; answers the file's path. */
async function create(
  { serviceManager }: JupyterFrontEnd,
  folder: string,
  trans: TranslationBundle
): Promise<string> {
  const { contents, kernelspecs } = serviceManager;
  const { default: first = '', kernelspecs: all = {} } =
    kernelspecs.specs ?? {};
  const python = [all[first], ...Object.values(all)].find(
    spec => spec?.language === 'python'
  );
  const kernelspec = {
    name: python?.name ?? 'python3',
    display_name: python?.display_name ?? 'Python 3',
    language: 'python'
  };
  const listing = await contents.get(folder);
  const files = listing.content as Contents.IModel[];
  const taken = new Set(files.map(({ name }) => name));
  const namesOf = (stem: string) => ({
    file: stem + PIPELINE_SUFFIX,
    collect: `${stem}-collect.ipynb`,
    report: `${stem}-report.ipynb`
  });
  let stem = 'pipeline';
  for (
    let n = 1;
    Object.values(namesOf(stem)).some(name => taken.has(name));
    n++
  ) {
    stem = `pipeline${n}`;
  }
  const { file, collect, report } = namesOf(stem);
  const write = (name: string, ...cells: readonly string[]) =>
    contents.save(PathExt.join(folder, name), {
      type: 'notebook',
      format: 'json',
      content: notebookOf(cells, kernelspec)
    });
  await write(
    collect,
    `count = 10  # ${trans.__('how many numbers are added up')}`,
    'total = sum(range(1, count + 1))'
  );
  await write(
    report,
    `total = 0  # ${trans.__('what the step before handed on')}`,
    'print(total)'
  );
  const { path } = await contents.save(PathExt.join(folder, file), {
    type: 'file',
    format: 'text',
    content: `name: ${stem}

# ${trans.__('Each step runs a notebook beside this file. Put your own in their place.')}
steps:
  collect:
    notebook: ${collect}
    # ${trans.__('Variables of the notebook that later steps may use.')}
    outputs: [total]

  report:
    notebook: ${report}
    # ${trans.__('A step that uses an output runs after the step that hands it on.')}
    parameters: { total: "\${collect.total}" }
`
  });
  return path;
}

/** A notebook whose first cell holds the parameters. */
function notebookOf(
  cells: readonly string[],
  kernelspec: Readonly<Record<string, string>>
): object {
  return {
    cells: cells.map((source, index) => ({
      cell_type: 'code',
      id: `cell-${index}`,
      metadata: index === 0 ? { tags: ['parameters'] } : {},
      source,
      execution_count: null,
      outputs: []
    })),
    metadata: { kernelspec },
    nbformat: 4,
    nbformat_minor: 5
  };
}
