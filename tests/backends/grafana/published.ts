// A dashboard and alert rules as Grafana's published types have them, read as JSON: enums are their values, methods are
// not there. Options and queries of panels, which the published dashboard leaves open, are those of the panel's type.
import type * as alerting from "@grafana/grafana-foundation-sdk/alerting";
import type * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import type * as expr from "@grafana/grafana-foundation-sdk/expr";
import type * as heatmap from "@grafana/grafana-foundation-sdk/heatmap";
import type * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import type * as stat from "@grafana/grafana-foundation-sdk/stat";
import type * as table from "@grafana/grafana-foundation-sdk/table";
import type * as tempo from "@grafana/grafana-foundation-sdk/tempo";
import type * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

type Method = (...values: never[]) => unknown;
type Json<T> = 0 extends 1 & T
  ? T
  : T extends string
    ? `${T}`
    : T extends number | boolean | null | undefined
      ? T
      : T extends (infer Item)[]
        ? Json<Item>[]
        : { [Key in keyof T as T[Key] extends Method ? never : Key]: Json<T[Key]> };

type Shown<Type extends string, Options, Custom, Query> = Omit<
  Json<dashboard.Panel>,
  "type" | "options" | "fieldConfig" | "targets"
> & {
  type: Type;
  options?: Json<Options>;
  fieldConfig: {
    defaults: Omit<Json<dashboard.FieldConfig>, "custom"> & { custom?: Json<Custom> };
    overrides: Json<dashboard.FieldConfigSource>["overrides"];
  };
  targets: Json<Query>[];
};
type Panel =
  | Shown<"timeseries", timeseries.Options, timeseries.FieldConfig, prometheus.Dataquery>
  | Shown<"stat", stat.Options, never, prometheus.Dataquery>
  | Shown<"heatmap", heatmap.Options, heatmap.FieldConfig, prometheus.Dataquery>
  | Shown<"table", table.Options, table.FieldConfig, tempo.Dataquery>
  | Json<dashboard.RowPanel>;

export type Dashboard = Omit<Json<dashboard.Dashboard>, "panels"> & { panels: Panel[] };

// A provisioned rule names its folder and its group once for all, and its query's model is of a data source or an expression.
type Query = Omit<Json<alerting.Query>, "model"> & {
  model: Omit<Json<tempo.Dataquery>, "filters"> | Json<expr.TypeMath> | Json<expr.TypeReduce>;
};
type Rule = Omit<Json<alerting.Rule>, "data" | "folderUID" | "orgID" | "ruleGroup"> & { uid: string; data: Query[] };

export type Provisioned = {
  apiVersion: 1;
  groups: { orgId: number; name: string; folder: string; interval: string; rules: Rule[] }[];
};
