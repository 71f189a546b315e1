/** An image and a sound that examples can show whole, so that they can be sent as they are. */

/** PNG, 8 × 8 pixels. */
export const EXAMPLE_IMAGE =
  'data:image/png;base64,' +
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAgMAAAC5YVYYAAAADFBMVEXIyFoAyFrIAFoAAFoqTmNCAAAAFElEQVR42mP+r83EwABBDKEMcDYAHzIBj32s320AAAAASUVORK5CYII='

/** WAV, 32 samples at 8 kHz. */
export const EXAMPLE_SOUND =
  'data:audio/wav;base64,' +
  'UklGRkQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YSAAAACApsbc5NzGpoBZOSMcIzlZf6bG3OTcxqaAWTkjHCM5WQ=='
