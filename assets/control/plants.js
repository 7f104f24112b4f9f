// The plants' numbers, without any drawing: the same dx/dt = f(x, u; p) as node_core/models/control/plants.py.
// An upright pole has the angle 0 and leans to the right where its angle is positive; a heading grows counter-clockwise.

function pendulum([theta, omega], [u], { mass, length, gravity, friction }, out) {
  out[0] = omega;
  out[1] = (gravity / length) * Math.sin(theta) + (u - friction * omega) / (mass * length * length);
}

function cartPole([, speed, theta, omega], [u], { cart, mass, length, gravity }, out) {
  const [sin, cos] = [Math.sin(theta), Math.cos(theta)];
  const push = u + sin * (mass * length * omega * omega - mass * gravity * cos);
  const acceleration = push / (cart + mass * sin * sin);
  out[0] = speed;
  out[1] = acceleration;
  out[2] = omega;
  out[3] = (gravity * sin - acceleration * cos) / length;
}

function unicycle([, , heading], [speed, turning], { slip }, out) {
  const ahead = speed * (1 - slip);
  out[0] = ahead * Math.cos(heading);
  out[1] = ahead * Math.sin(heading);
  out[2] = turning;
}

function lotkaVolterra([prey, predators], [harvest], { alpha, gamma }, out) {
  out[0] = alpha * prey * (1 - predators);
  out[1] = predators * (gamma * (prey - 1) - harvest);
}

/** By node_core's keys. */
export const RATES = { pendulum, cart_pole: cartPole, unicycle, lotka_volterra: lotkaVolterra };

/** An angle as it is in [-pi, pi]. */
export const wrapped = (angle) => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
