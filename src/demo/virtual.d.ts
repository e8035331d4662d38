/** The text of the report page's script, built by vite.demo.config.ts, so that the demo can save a report as a page of its own. */
declare module 'virtual:report-script' {
  const script: string
  export default script
}
