import { MlopsModel } from '../model';
import type { IMlopsModel } from '../tokens';
import type { FakeServer } from './server';

/** The real model in front of a server, for what may know it by its token only. */
export function modelOf(server: FakeServer): IMlopsModel {
  return new MlopsModel({ client: server.client });
}
