/** The place of a visitor: the app whose browser it uses, the system, the kind of device. Closed lists; app and system are stored with clicks. */
import type { App, Device, Os } from '../vocabulary.ts';

export interface VisitorPlace {
  readonly app: App;
  readonly os: Os;
  readonly device: Device;
}
