//! Returns and risk over the last periods.

/// Log growth of several assets over the last periods, and its sums and variances over windows, brought up to date period by period. Sums that
/// slide collect rounding errors: they are made anew once in every turn of the memory.
#[derive(Clone, Debug)]
pub struct Rolling {
    assets: usize,
    /// Periods that are kept.
    capacity: usize,
    /// `capacity` rows, the next one to be written at `head`.
    ring: Vec<f64>,
    head: usize,
    /// Windows of the sums, and for each the assets' sums.
    windows: Vec<usize>,
    sums: Vec<f64>,
    /// Window of the moments.
    risk_window: usize,
    /// 1 / (that window - 1).
    per_freedom: f64,
    means: Vec<f64>,
    /// Sums of squared deviations from the means.
    squares: Vec<f64>,
    /// The portfolio's log growth in each period of the window.
    portfolio: Vec<f64>,
}

impl Rolling {
    /// A memory of zeros: room for the longest of the `windows` of sums and for the `risk_window` (2 or more) of moments.
    pub fn new(assets: usize, windows: &[usize], risk_window: usize) -> Self {
        let capacity = windows.iter().copied().max().unwrap_or(0).max(risk_window);
        Self {
            assets,
            capacity,
            ring: vec![0.0; capacity * assets],
            head: 0,
            windows: windows.to_vec(),
            sums: vec![0.0; windows.len() * assets],
            risk_window,
            per_freedom: 1.0 / (risk_window - 1) as f64,
            means: vec![0.0; assets],
            squares: vec![0.0; assets],
            portfolio: vec![0.0; risk_window],
        }
    }

    /// The same memory with room for `periods` at least.
    #[must_use]
    pub fn keeping(mut self, periods: usize) -> Self {
        self.capacity = self.capacity.max(periods);
        self.ring = vec![0.0; self.capacity * self.assets];
        self
    }

    /// What is kept, oldest first: one row of log growth an asset after the other, in two pieces.
    pub fn past(&self) -> [&[f64]; 2] {
        let (newer, older) = self.ring.split_at(self.head * self.assets);
        [older, newer]
    }

    /// Periods that are kept.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets the place of the next period, not what is kept.
    pub fn rewind(&mut self) {
        self.head = 0;
    }

    /// Keeps a period without bringing anything up to date: for `capacity` periods in a row.
    pub fn fill(&mut self, log_growth: &[f64]) {
        self.ring[self.head * self.assets..][..self.assets].copy_from_slice(log_growth);
        self.turn();
    }

    /// Keeps a period.
    #[inline]
    pub fn push(&mut self, log_growth: &[f64]) {
        let n = self.assets;
        for (index, &window) in self.windows.iter().enumerate() {
            let old = row(&self.ring, n, self.capacity, self.head, window);
            let sums = self.sums[index * n..][..n].iter_mut();
            for (sum, (new, old)) in sums.zip(log_growth.iter().zip(old)) {
                *sum += new - old;
            }
        }
        let per = 1.0 / self.risk_window as f64;
        let old = row(&self.ring, n, self.capacity, self.head, self.risk_window);
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((mean, squares), (new, old)) in moments.zip(log_growth.iter().zip(old)) {
            let before = *mean;
            *mean += (new - old) * per;
            // Welford's update with one number in and one out.
            *squares = (*squares + (new - old) * (new - *mean + old - before)).max(0.0);
        }
        self.ring[self.head * n..][..n].copy_from_slice(log_growth);
        self.turn();
    }

    #[inline]
    fn turn(&mut self) {
        self.head += 1;
        if self.head == self.capacity {
            self.head = 0;
            self.renew();
        }
    }

    /// Sums and moments from the periods themselves.
    fn renew(&mut self) {
        let n = self.assets;
        self.sums.fill(0.0);
        for (index, &window) in self.windows.iter().enumerate() {
            for back in (1..=window).rev() {
                let values = row(&self.ring, n, self.capacity, self.head, back);
                self.sums[index * n..][..n].iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        self.means.fill(0.0);
        self.squares.fill(0.0);
        for back in (1..=self.risk_window).rev() {
            let values = row(&self.ring, n, self.capacity, self.head, back);
            self.means.iter_mut().zip(values).for_each(|(mean, value)| *mean += value);
        }
        let per = 1.0 / self.risk_window as f64;
        self.means.iter_mut().for_each(|mean| *mean *= per);
        for back in (1..=self.risk_window).rev() {
            let values = row(&self.ring, n, self.capacity, self.head, back);
            for ((squares, mean), value) in self.squares.iter_mut().zip(&self.means).zip(values) {
                *squares += (value - mean) * (value - mean);
            }
        }
    }

    /// Log growth of each asset over window number `index`.
    #[inline]
    pub fn returns(&self, index: usize) -> &[f64] {
        &self.sums[index * self.assets..][..self.assets]
    }

    /// Sample variance of an asset's log growth.
    #[inline]
    pub fn variance(&self, asset: usize) -> f64 {
        self.squares[asset] * self.per_freedom
    }

    /// Sample covariance of each asset's log growth with that of a portfolio of `weights`.
    pub fn covariances(&mut self, weights: &[f64], out: &mut [f64]) {
        let n = self.assets;
        let mut mean = 0.0;
        for back in 1..=self.risk_window {
            let values = row(&self.ring, n, self.capacity, self.head, back);
            let growth: f64 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
            self.portfolio[back - 1] = growth;
            mean += growth;
        }
        mean /= self.risk_window as f64;
        out.fill(0.0);
        for back in 1..=self.risk_window {
            let deviation = (self.portfolio[back - 1] - mean) * self.per_freedom;
            let values = row(&self.ring, n, self.capacity, self.head, back);
            for ((out, value), own) in out.iter_mut().zip(values).zip(&self.means) {
                *out += (value - own) * deviation;
            }
        }
    }
}

/// The period `back` before the next one, 1 being the last.
#[inline]
fn row(ring: &[f64], assets: usize, capacity: usize, head: usize, back: usize) -> &[f64] {
    let at = if head >= back { head - back } else { head + capacity - back };
    &ring[at * assets..][..assets]
}
