/**
 * What a calibration draws where no prompts are given: ten subjects far from each other, plain and crowded, near and
 * far, with people and text, photographed and painted.
 */
export const CALIBRATION_PROMPTS: readonly string[] = [
  "A grey cat asleep on a stack of newspapers beside a rainy window",
  "An old fisherman mending a net on the pier, close portrait, evening light",
  "A market street crowded with stalls, umbrellas and bicycles, seen from above",
  "A snow-covered mountain range under a clear sky at dawn",
  "A bowl of ramen with a soft egg, steam rising, on a dark wooden table",
  "Watercolour of a red sailing boat on a calm lake",
  "A glass greenhouse full of tropical plants, with a path of stone slabs",
  "Two children flying a dragon-shaped kite on a wide beach",
  "A shop window at night with a neon sign that says OPEN",
  "A geometric poster of overlapping circles in blue, orange and white",
];
