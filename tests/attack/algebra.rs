//! Least squares by the normal equations, with a pinch of ridge.

const RIDGE: f64 = 1e-3;

pub struct NormalEquations<'a> {
    rows: &'a [Vec<f64>],
    factor: Vec<Vec<f64>>,
}

/// Prepares solving `rows · x = y` for any number of y.
pub fn normal_equations(rows: &[Vec<f64>]) -> NormalEquations<'_> {
    let unknowns = rows.first().map_or(0, Vec::len);
    let mut product = vec![vec![0.0; unknowns]; unknowns];
    for row in rows {
        for (i, of_i) in product.iter_mut().enumerate().filter(|(i, _)| row[*i] != 0.0) {
            for (sum, value) in of_i.iter_mut().zip(&row[..=i]) {
                *sum += row[i] * value;
            }
        }
    }
    (0..unknowns).for_each(|i| product[i][i] += RIDGE);
    NormalEquations { rows, factor: cholesky(product) }
}

impl NormalEquations<'_> {
    pub fn solve(&self, y: &[f64]) -> Vec<f64> {
        let mut right = vec![0.0; self.factor.len()];
        for (row, y) in self.rows.iter().zip(y) {
            right.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * y);
        }
        solve(&self.factor, right)
    }
}

/// The lower triangle L of a positive definite matrix L·Lᵀ whose lower triangle is given.
pub fn cholesky(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for i in 0..a.len() {
        for j in 0..=i {
            let dot: f64 = a[i][..j].iter().zip(&a[j][..j]).map(|(x, y)| x * y).sum();
            let rest = a[i][j] - dot;
            a[i][j] = if i == j { rest.sqrt() } else { rest / a[j][j] };
        }
    }
    a
}

/// Solves L·Lᵀ·x = y.
pub fn solve(l: &[Vec<f64>], mut y: Vec<f64>) -> Vec<f64> {
    for i in 0..l.len() {
        let dot: f64 = l[i][..i].iter().zip(&y).map(|(a, b)| a * b).sum();
        y[i] = (y[i] - dot) / l[i][i];
    }
    for i in (0..l.len()).rev() {
        let dot: f64 = (i + 1..l.len()).map(|j| l[j][i] * y[j]).sum();
        y[i] = (y[i] - dot) / l[i][i];
    }
    y
}
