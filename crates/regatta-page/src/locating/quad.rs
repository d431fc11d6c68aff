//! Where points of a rectangle are once it has been rotated, skewed or put in perspective.

/// The corners, from the one that was at the top left clockwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quad(pub [(f64, f64); 4]);

/// A projective map of the plane, by rows.
#[derive(Debug, Clone, Copy)]
struct Projection([[f64; 3]; 3]);

impl Quad {
    /// As the protocol writes it: x and y of each corner.
    pub fn read(numbers: &[f64]) -> Option<Self> {
        let [ax, ay, bx, by, cx, cy, dx, dy] = *<&[f64; 8]>::try_from(numbers).ok()?;
        Some(Self([(ax, ay), (bx, by), (cx, cy), (dx, dy)]))
    }

    /// Where a point of the unit square is drawn.
    pub fn place(self, x: f64, y: f64) -> (f64, f64) {
        Projection::onto(self).apply(x, y)
    }

    /// Where a point was in the unit square.
    pub fn origin(self, x: f64, y: f64) -> (f64, f64) {
        Projection::onto(self).inverse().apply(x, y)
    }
}

impl Projection {
    /// The unit square onto a quad: Heckbert, "Fundamentals of Texture Mapping and Image Warping", 2.2.3.
    fn onto(Quad([(x0, y0), (x1, y1), (x2, y2), (x3, y3)]): Quad) -> Self {
        let (sx, sy) = (x0 - x1 + x2 - x3, y0 - y1 + y2 - y3);
        let (dx1, dx2, dy1, dy2) = (x1 - x2, x3 - x2, y1 - y2, y3 - y2);
        let determinant = dx1 * dy2 - dx2 * dy1;
        let (g, h) = ((sx * dy2 - dx2 * sy) / determinant, (dx1 * sy - sx * dy1) / determinant);
        Self([
            [x1 - x0 + g * x1, x3 - x0 + h * x3, x0],
            [y1 - y0 + g * y1, y3 - y0 + h * y3, y0],
            [g, h, 1.0],
        ])
    }

    fn apply(self, x: f64, y: f64) -> (f64, f64) {
        let [a, b, c] = self.0.map(|row| row[0] * x + row[1] * y + row[2]);
        (a / c, b / c)
    }

    /// But for a factor, which does not matter.
    fn inverse(self) -> Self {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.0;
        Self([
            [e * i - f * h, c * h - b * i, b * f - c * e],
            [f * g - d * i, a * i - c * g, c * d - a * f],
            [d * h - e * g, b * g - a * h, a * e - b * d],
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near((ax, ay): (f64, f64), (bx, by): (f64, f64)) -> bool {
        (ax - bx).abs() < 1e-9 && (ay - by).abs() < 1e-9
    }

    #[test]
    fn a_rectangle_is_moved_and_scaled() {
        let quad = Quad::read(&[10.0, 20.0, 110.0, 20.0, 110.0, 70.0, 10.0, 70.0]).unwrap();
        assert!(is_near(quad.place(0.5, 0.5), (60.0, 45.0)));
        assert!(is_near(quad.origin(35.0, 70.0), (0.25, 1.0)));
    }

    #[test]
    fn corners_of_a_quad_in_perspective_lead_to_corners_and_back() {
        let quad = Quad([(0.0, 0.0), (100.0, 20.0), (100.0, 80.0), (0.0, 100.0)]);
        for ((x, y), corner) in [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)].into_iter().zip(quad.0) {
            assert!(is_near(quad.place(x, y), corner), "{x} {y}");
        }
        // The middle is where the diagonals cross, nearer to the far side.
        assert!(is_near(quad.place(0.5, 0.5), (62.5, 50.0)));
        assert!(is_near(quad.origin(62.5, 50.0), (0.5, 0.5)));
    }
}
