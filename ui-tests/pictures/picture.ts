/** Pictures of a state in each theme and size. */
import { join } from 'node:path';
import { expect, type Lab } from '../tests/fixtures';

/** Where they go; none are taken without it. */
export const FOLDER = process.env.MLOPS_PICTURES;

/** Of what the documentation shows. */
export const IMAGES = join(__dirname, '..', '..', 'docs', 'images');

const SIZES = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 }
];
const THEMES = { light: 'JupyterLab Light', dark: 'JupyterLab Dark' };

export async function theme(
  lab: Lab,
  name: keyof typeof THEMES
): Promise<void> {
  await lab.command('apputils:change-theme', { theme: THEMES[name] });
  await expect(lab.page.locator('body')).toHaveAttribute(
    'data-jp-theme-name',
    THEMES[name]
  );
}

/** A picture of the present state in each theme and size. */
export async function picture(lab: Lab, state: string): Promise<void> {
  if (!FOLDER) {
    return;
  }
  for (const name of ['dark', 'light'] as const) {
    await theme(lab, name);
    for (const size of [...SIZES].reverse()) {
      await lab.page.setViewportSize(size);
      // layout and transitions come to rest
      await lab.page.waitForTimeout(400);
      await lab.page.screenshot({
        path: join(FOLDER, `${state}-${name}-${size.width}.png`)
      });
    }
  }
}
