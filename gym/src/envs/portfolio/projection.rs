//! The legal weights next to those asked for.

/// Moves `values` to the nearest point, in Euclidean distance, whose numbers are 0 or more and have the sum `total` > 0.
///
/// The projection of Duchi, Shalev-Shwartz, Singer & Chandra, *Efficient projections onto the l1-ball for learning in high dimensions*, ICML
/// 2008: `max(v - theta, 0)`. The threshold is found by leaving out, again and again, what is not above the threshold of those left
/// (Michelot, 1986), which needs no sorting and takes a few passes.
#[inline]
pub fn project_simplex(values: &mut [f64], total: f64) {
    let (mut sum, mut count) = (values.iter().sum::<f64>(), values.len());
    let threshold = loop {
        let threshold = (sum - total) / count as f64;
        let (mut above, mut left) = (0.0, 0);
        for &value in values.iter() {
            let stays = value > threshold;
            above += if stays { value } else { 0.0 };
            left += usize::from(stays);
        }
        // None is left only where the total is lost in the rounding of huge values.
        if left == count || left == 0 {
            break threshold;
        }
        (sum, count) = (above, left);
    };
    for value in values {
        *value = (*value - threshold).max(0.0);
    }
}

/// Moves `values` to the nearest point whose absolute values have a sum of at most `radius` > 0: the other projection of the same paper.
#[inline]
pub fn project_l1_ball(values: &mut [f64], radius: f64) {
    if values.iter().map(|value| value.abs()).sum::<f64>() <= radius {
        return;
    }
    let (mut sum, mut count) = (values.iter().map(|value| value.abs()).sum::<f64>(), values.len());
    let threshold = loop {
        let threshold = (sum - radius) / count as f64;
        let above = values.iter().map(|value| value.abs()).filter(|value| *value > threshold);
        let (left, total) = above.fold((0, 0.0), |(left, total), value| (left + 1, total + value));
        if left == count || left == 0 {
            break threshold;
        }
        (sum, count) = (total, left);
    };
    for value in values {
        *value = (value.abs() - threshold).max(0.0).copysign(*value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Figure 1 of the paper.
    fn sorted(values: &[f64], total: f64) -> Vec<f64> {
        let mut descending = values.to_vec();
        descending.sort_by(|a, b| b.total_cmp(a));
        let (mut sum, mut theta) = (0.0, 0.0);
        for (j, value) in descending.iter().enumerate() {
            sum += value;
            let candidate = (sum - total) / (j + 1) as f64;
            if value - candidate > 0.0 {
                theta = candidate;
            }
        }
        values.iter().map(|value| (value - theta).max(0.0)).collect()
    }

    proptest! {
        #[test]
        fn the_simplex_is_met_where_the_paper_meets_it(
            values in proptest::collection::vec(-2.0..2.0f64, 1..40), total in 0.1..3.0f64
        ) {
            let mut found = values.clone();
            project_simplex(&mut found, total);
            prop_assert!((found.iter().sum::<f64>() - total).abs() < 1e-12);
            for (found, expected) in found.iter().zip(sorted(&values, total)) {
                prop_assert!((found - expected).abs() < 1e-12);
            }
        }

        #[test]
        fn the_ball_is_met_where_the_paper_meets_it(
            values in proptest::collection::vec(-2.0..2.0f64, 1..40), radius in 0.1..3.0f64
        ) {
            let mut found = values.clone();
            project_l1_ball(&mut found, radius);
            let sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
            let inside = sizes.iter().sum::<f64>() <= radius;
            let expected = if inside { sizes } else { sorted(&sizes, radius) };
            for (value, (found, expected)) in values.iter().zip(found.iter().zip(expected)) {
                prop_assert!((found - expected.copysign(*value)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn legal_weights_stay() {
        let mut weights = [0.25, 0.5, 0.0, 0.25];
        project_simplex(&mut weights, 1.0);
        assert_eq!(weights, [0.25, 0.5, 0.0, 0.25]);
        project_l1_ball(&mut weights, 1.0);
        assert_eq!(weights, [0.25, 0.5, 0.0, 0.25]);
        let mut nothing = [0.0; 4];
        project_simplex(&mut nothing, 1.0);
        assert_eq!(nothing, [0.25; 4]);
    }
}
