/** What is started or promoted is the file, so what was edited is saved first. */
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

/**
 * Bring what was edited into the document's file.
 *
 * A document that is edited again while it is saved is dirty afterwards: a kernel that has just started writes its
 * language into the notebook's metadata. What was there when this was called is in the file all the same.
 *
 * @throws Error with a sentence where the file could not be written, or the person cancelled.
 */
export async function saveEdits(
  context: DocumentRegistry.IContext<DocumentRegistry.IModel>,
  trans: TranslationBundle
): Promise<void> {
  if (!context.model.dirty || context.model.readOnly) {
    return;
  }
  try {
    await context.save();
  } catch (error) {
    const name = context.path.split('/').pop() ?? '';
    const { message = String(error), name: kind = '' } =
      error as Partial<Error>;
    throw new Error(
      kind === 'ModalCancelError'
        ? trans.__('%1 was not saved, so nothing was started.', name)
        : trans.__(
            '%1 could not be saved, so nothing was started: %2',
            name,
            message
          )
    );
  }
}
