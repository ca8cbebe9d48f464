/** Where the data of a site may be processed, and from where an engineer may act on it. Pure functions. */

/** Where the vendor works, as configured. */
export type VendorSites = {
  /** The regions in which it processes customers' data, spelled as `dataResidencyRegion` of a site. Empty: any. */
  readonly processingRegions: readonly string[];
  /** The countries from which its engineers may act, as ISO 3166-1 alpha-2 codes. Empty: any. */
  readonly engineerCountries: readonly string[];
};

export const anywhere: VendorSites = { processingRegions: [], engineerCountries: [] };

/** The settings of a site on which it depends. */
type Settings = {
  dataResidencyRegion: string;
  /** Whether its data stays in `dataResidencyRegion`. */
  dataResidencyPinned: boolean;
  /** Empty: all of the vendor's. */
  engineerCountries: readonly string[];
};

/** Whether data of the site may be processed in the region, or be exported to it. */
export function mayProcessIn(region: string, site: Settings, vendor: VendorSites): boolean {
  if (region === site.dataResidencyRegion) return true;
  return !site.dataResidencyPinned && allows(vendor.processingRegions, region);
}

/** Whether an engineer who is in the country may act on the site. */
export function mayActFrom(country: string, site: Settings, vendor: VendorSites): boolean {
  return allows(site.engineerCountries, country) && allows(vendor.engineerCountries, country);
}

const allows = (list: readonly string[], one: string): boolean => list.length === 0 || list.includes(one);
