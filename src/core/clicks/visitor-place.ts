/** Where a visitor stands: the app whose browser it is, the system, the kind of device. Closed vocabularies, stored with clicks. */
import type { App, Device, Os } from '../vocabulary.ts';

export interface VisitorPlace {
  readonly app: App;
  readonly os: Os;
  readonly device: Device;
}
