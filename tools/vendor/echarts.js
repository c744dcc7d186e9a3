// What the Studio draws charts with, and nothing more: an ES module of its own.
import { BarChart, FunnelChart, HeatmapChart, LineChart, SankeyChart } from 'echarts/charts'
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components'
import { use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([
  AriaComponent,
  BarChart,
  FunnelChart,
  GridComponent,
  HeatmapChart,
  LegendComponent,
  LineChart,
  SankeyChart,
  SVGRenderer,
  TooltipComponent,
  VisualMapComponent,
])

export { getInstanceByDom, init } from 'echarts/core'
