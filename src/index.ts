import { modelPlugin } from './main';

export default [modelPlugin];
