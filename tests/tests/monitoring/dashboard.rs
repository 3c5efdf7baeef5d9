//! The dashboard's JSON, as far as Grafana's rules for it can be told without Grafana.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{dashboard, items, text};

/// What Grafana 12 writes; newer ones read it.
const SCHEMA: u64 = 41;

/// The types of panels that Grafana itself brings.
const TYPES: [&str; 6] = ["bargauge", "gauge", "stat", "state-timeline", "table", "timeseries"];

/// How wide Grafana's grid is.
const WIDTH: u64 = 24;

fn source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn is_set(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

#[test]
fn each_panel_has_a_title_of_its_own_a_unit_and_the_chosen_data_source() {
    let dashboard = dashboard();
    assert_eq!(dashboard["schemaVersion"], SCHEMA);
    assert!(dashboard["id"].is_null() && is_set(&dashboard["uid"]) && is_set(&dashboard["title"]));
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for panel in items(&dashboard["panels"]) {
        assert!(TYPES.contains(&text(&panel["type"])), "{panel}");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        assert!(titles.insert(text(&panel["title"])), "{panel}");
        assert!(is_set(&panel["fieldConfig"]["defaults"]["unit"]), "{panel}");
        assert_eq!(panel["datasource"], source(), "{panel}");
        let names: Vec<_> = items(&panel["targets"]).iter().map(|it| text(&it["refId"])).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{panel}");
        assert!(!names.is_empty() && items(&panel["targets"]).iter().all(|it| is_set(&it["expr"])));
    }
}

#[test]
fn no_panel_lies_on_another() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    for panel in items(&dashboard["panels"]) {
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().expect(name));
        assert!(x + w <= WIDTH, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{panel}");
        }
    }
}

#[test]
fn data_source_namespace_and_pod_can_be_chosen() {
    let dashboard = dashboard();
    let variables = items(&dashboard["templating"]["list"]);
    let names: Vec<_> = variables.iter().map(|it| text(&it["name"])).collect();
    assert_eq!(names, ["datasource", "namespace", "pod"]);
    assert_eq!(
        (&variables[0]["type"], &variables[0]["query"]),
        (&json!("datasource"), &json!("prometheus"))
    );
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"], source());
        assert_eq!((&variable["multi"], &variable["allValue"]), (&json!(true), &json!(".*")));
    }
    // All that is the filter's own follows them.
    for panel in items(&dashboard["panels"]) {
        for target in items(&panel["targets"]) {
            let expr = text(&target["expr"]);
            let of_filter =
                ["_probe_total", "_probe_up", "_recorded", "_config_valid", "_tcp_checks"];
            let selectors: usize = of_filter.iter().map(|name| expr.matches(name).count()).sum();
            for chosen in [r#"namespace=~"$namespace""#, r#"pod=~"$pod""#] {
                assert_eq!(expr.matches(chosen).count(), selectors, "{expr}");
            }
        }
    }
}
