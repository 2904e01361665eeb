import type { IMlopsModel } from '../model';
import { MlopsModel } from '../model/model';
import type { FakeServer } from './server';

/** The real model in front of a server, for what may know it by its token only. */
export function modelOf(server: FakeServer): IMlopsModel {
  return new MlopsModel({ client: server.client });
}
