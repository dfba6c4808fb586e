//! Pictures of environments.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use gym::render::{ANSI_LINES, ANSI_WIDTH, HeatMap, ansi};
use gym::{Action, AnyEnv, Env, EnvConfig, Episodes, Scene, SceneFill, SceneLevel};
use lob::Side;

fn level(price: i32, lots: i32, own: i32) -> SceneLevel {
    SceneLevel { price: price.into(), lots: lots.into(), own: own.into() }
}

/// A made-up book whose mid wanders, with quotes and now and then a fill.
fn book(step: u32) -> Scene {
    let centre = 1000 + ((f64::from(step) / 30.0).sin() * 5.0) as i32;
    let lots = |index: i32| 4 + (index * 7 + step as i32 / 9) % 23;
    let bids =
        (0..20).map(|i| level(centre - i, lots(i) + if i == 1 { 2 } else { 0 }, if i == 1 { 2 } else { 0 }));
    let asks = (0..20)
        .map(|i| level(centre + 2 + i, lots(i + 3) + if i == 2 { 3 } else { 0 }, if i == 2 { 3 } else { 0 }));
    let mut scene = Scene {
        title: "market making in noise".into(),
        time: f64::from(step) / 10.0,
        horizon: 60.0,
        bids: bids.collect(),
        asks: asks.collect(),
        fills: Vec::new(),
        figures: vec![
            ("inventory", f64::from(step as i32 % 40 - 20), "lots"),
            ("profit", f64::from(step) * 0.21 - 20.0, "ticks x lots"),
        ],
    };
    if step % 47 == 11 {
        let (side, price) =
            if step.is_multiple_of(2) { (Side::Buy, centre - 1) } else { (Side::Sell, centre + 4) };
        scene.fills.push(SceneFill { time: scene.time, side, price: price.into(), lots: 2.0, maker: true });
    }
    scene
}

/// An episode of the world without a book, as scenes.
fn model() -> Vec<Scene> {
    let config = EnvConfig::named("model_market_making").unwrap();
    let mut episodes = Episodes::new(AnyEnv::new(&config).unwrap(), None);
    let mut observation = vec![0.0; episodes.env().observation_space().len()];
    episodes.reset(Some(3), &mut observation).unwrap();
    let mut scenes = vec![episodes.env().scene()];
    while episodes.is_running() {
        let skew = observation[1] * 20.0;
        let action = [(skew - 0.4).clamp(-1.0, 1.0), (-skew - 0.4).clamp(-1.0, 1.0), 1.0, 1.0];
        episodes.step(Action::Continuous(&action), &mut observation).unwrap();
        scenes.push(episodes.env().scene());
    }
    scenes
}

fn picture(scenes: &[Scene], width: usize, height: usize) -> Vec<u8> {
    let mut map = HeatMap::new(width, height);
    for scene in scenes {
        map.push(scene);
    }
    map.rgb().to_vec()
}

fn has_colour(rgb: &[u8], colour: [u8; 3]) -> bool {
    rgb.chunks_exact(3).any(|pixel| pixel == colour)
}

#[test]
fn a_ladder_has_the_same_size_whatever_it_shows() {
    let mut one_sided = book(3);
    one_sided.asks.clear();
    let mut odd = book(3);
    odd.title =
        "two\nlines, and a title that is far too long for the line that it was given to stand on, really"
            .into();
    odd.figures.push((
        "a figure that does not fit at all",
        f64::NAN,
        "units of a long and winding name, per second",
    ));
    for scene in [Scene::default(), book(3), one_sided, odd, model()[7].clone()] {
        let text = ansi(&scene, false);
        assert!(text.ends_with('\n'));
        assert_eq!(text.lines().count(), ANSI_LINES);
        assert!(text.lines().all(|line| line.chars().count() == ANSI_WIDTH), "{text}");
        // Colours add codes and nothing else.
        let coloured = ansi(&scene, true);
        let mut plain = String::new();
        let mut in_code = false;
        for sign in coloured.chars() {
            match sign {
                '\x1b' => in_code = true,
                'm' if in_code => in_code = false,
                _ if in_code => {}
                _ => plain.push(sign),
            }
        }
        assert_eq!(plain, text);
    }
}

#[test]
fn a_ladder_shows_prices_own_lots_and_fills() {
    let mut scene = book(11);
    scene.bids.push(level(900, 4, 4));
    let text = ansi(&scene, false);
    let line_of = |needle: &str| text.lines().position(|line| line.contains(needle)).unwrap();
    assert!(line_of("mid, spread 2") > line_of("own 3"), "asks are above the mid");
    assert!(line_of("mid, spread 2") < line_of("own 2"), "bids are below it");
    assert!(text.contains("900 ") && text.contains("own 4"), "a far quote is shown:\n{text}");
    assert!(text.contains("sold 2 at"), "{text}");
    assert!(text.contains("inventory -9 lots | profit -17.69 ticks x lots"), "{text}");
}

#[test]
fn a_map_shows_depth_quotes_and_trades() {
    let scenes: Vec<_> = (0..500).map(book).collect();
    let rgb = picture(&scenes, 640, 480);
    assert_eq!(rgb.len(), 640 * 480 * 3);
    for colour in
        [[0x11, 0x11, 0x11], [0x08, 0x51, 0x9c], [0xa6, 0x36, 0x03], [0x2c, 0x7f, 0xff], [0xff, 0x6a, 0x00]]
    {
        assert!(has_colour(&rgb, colour), "{colour:x?} is missing");
    }
    let without: Vec<_> = scenes.iter().map(|scene| Scene { fills: Vec::new(), ..scene.clone() }).collect();
    assert_ne!(rgb, picture(&without, 640, 480));
}

#[test]
fn the_same_scenes_give_the_same_bytes_and_an_earlier_time_begins_anew() {
    let scenes: Vec<_> = (0..300).map(book).collect();
    let fresh = picture(&scenes, 320, 240);
    let mut map = HeatMap::new(320, 240);
    for scene in scenes.iter().chain(&scenes) {
        map.push(scene);
        if scene.time == 7.0 {
            map.rgb();
        }
    }
    assert!(map.rgb() == fresh, "a second episode is drawn like the first");
    map.clear();
    assert!(map.rgb() == HeatMap::new(320, 240).rgb(), "nothing is left after clear()");
}

#[test]
fn any_scene_can_be_drawn_at_any_size() {
    let empty = Scene::default();
    let mut odd = book(5);
    odd.bids.clear();
    odd.asks[0].price = f64::NAN;
    odd.figures = vec![("inventory", f64::NAN, "lots"), ("profit", f64::INFINITY, "money")];
    odd.fills.push(SceneFill { time: -3.0, side: Side::Buy, price: 1e18, lots: 1.0, maker: false });
    let late = Scene { time: 1e9, ..book(2) };
    let books: Vec<_> = (0..600).map(book).collect();
    let lists = [vec![], vec![empty], vec![odd.clone(), late, odd], books, model()];
    for scenes in &lists {
        for (width, height) in [(0, 0), (64, 64), (65, 500), (500, 65), (200, 160), (361, 221), (1500, 900)] {
            let mut map = HeatMap::new(width, height);
            scenes.iter().for_each(|scene| map.push(scene));
            let len = map.width() * map.height() * 3;
            assert_eq!(map.rgb().len(), len);
        }
    }
}

/// Writes pictures to be looked at: `PICTURES=folder cargo test -p gym --test render -- --ignored`.
#[test]
#[ignore = "writes files"]
fn pictures_for_the_eye() {
    let folder = std::path::PathBuf::from(std::env::var("PICTURES").unwrap());
    let books: Vec<_> = (0..500).map(book).collect();
    for (name, scenes) in [("book", books), ("model", model())] {
        for (width, height) in [(64, 64), (200, 160), (320, 240), (640, 480), (960, 600)] {
            let file = std::fs::File::create(folder.join(format!("{name}_{width}.png"))).unwrap();
            let mut encoder = png::Encoder::new(file, width, height);
            encoder.set_color(png::ColorType::Rgb);
            let rgb = picture(&scenes, width as usize, height as usize);
            encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
        }
        println!("{}", ansi(scenes.last().unwrap(), false));
    }
}
